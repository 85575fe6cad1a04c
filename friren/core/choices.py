"""The closed lists of the ground floor. Stored case is fixed; input is taken in any case."""

from django.db.models import TextChoices

__all__ = ["AuditAction", "CostBasis", "Environment", "PositionMode", "RiskTolerance"]


class Environment(TextChoices):
    LIVE = "LIVE", "live"
    PAPER = "PAPER", "paper"
    BACKTEST = "BACKTEST", "backtest"


class CostBasis(TextChoices):
    """Which units leave first when a position is reduced."""

    AVERAGE = "AVERAGE", "average cost"
    FIFO = "FIFO", "first in, first out"
    LIFO = "LIFO", "last in, first out"


class PositionMode(TextChoices):
    """Whether opposite fills net into one position or stand side by side."""

    NETTING = "NETTING", "netting"
    HEDGING = "HEDGING", "hedging"


class RiskTolerance(TextChoices):
    LOW = "LOW", "low"
    MEDIUM = "MEDIUM", "medium"
    HIGH = "HIGH", "high"


class AuditAction(TextChoices):
    CREATE = "CREATE", "create"
    UPDATE = "UPDATE", "update"
    DELETE = "DELETE", "delete"
    STATUS_CHANGE = "STATUS_CHANGE", "status change"
    CONFIG_CHANGE = "CONFIG_CHANGE", "configuration change"
    EXPORT = "EXPORT", "export"
    RESTORE = "RESTORE", "restore"
    ARCHIVE = "ARCHIVE", "archive"
    FALLBACK = "FALLBACK", "fallback"
    FLUSH = "FLUSH", "flush"
    LOGIN = "LOGIN", "login"
