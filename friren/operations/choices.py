"""The closed lists of operations. Stored case is fixed; input is taken in any case."""

from django.db.models import TextChoices

__all__ = ["ArchiveDirection", "ArchiveTarget", "BackupKind", "RunStatus"]


class BackupKind(TextChoices):
    """Why a backup was made: how long it is kept goes by this."""

    DAILY = "DAILY", "daily"
    WEEKLY = "WEEKLY", "weekly"
    PRE_PHASE = "PRE_PHASE", "before a phase"
    MANUAL = "MANUAL", "manual"
    JSON_EXPORT = "JSON_EXPORT", "JSON export"


class RunStatus(TextChoices):
    """How far an operation has come. Only what was restored and compared is VERIFIED."""

    RUNNING = "RUNNING", "running"
    COMPLETED = "COMPLETED", "completed"
    FAILED = "FAILED", "failed"
    VERIFIED = "VERIFIED", "verified"
    PRUNED = "PRUNED", "pruned"


class ArchiveDirection(TextChoices):
    """Which way rows went: out of their table, or back into it."""

    ARCHIVE = "ARCHIVE", "archive"
    UNARCHIVE = "UNARCHIVE", "unarchive"


class ArchiveTarget(TextChoices):
    """Between which two places: a table and its archive, or the archive and a file."""

    TABLE = "TABLE", "table"
    PARQUET = "PARQUET", "Parquet"
