"""Models of operations. `from friren.operations.models import BackupRecord` is the only import path."""

from friren.operations.models.archives import ArchiveRun
from friren.operations.models.audit import AuditBlock
from friren.operations.models.backups import BackupRecord
from friren.operations.models.metrics import MetricSample

__all__ = ["ArchiveRun", "AuditBlock", "BackupRecord", "MetricSample"]
