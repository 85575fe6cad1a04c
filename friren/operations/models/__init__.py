"""Models of operations. `from friren.operations.models import BackupRecord` is the only import path."""

from friren.operations.models.audit import AuditBlock
from friren.operations.models.backups import BackupRecord

__all__ = ["AuditBlock", "BackupRecord"]
