"""Models of operations. `from friren.operations.models import AuditBlock` is the only import path."""

from friren.operations.models.audit import AuditBlock

__all__ = ["AuditBlock"]
