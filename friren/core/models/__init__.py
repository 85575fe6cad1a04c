"""Models of the ground floor. `from friren.core.models import Account` is the only import path."""

from friren.core.models.accounts import Account, User
from friren.core.models.bases import FactModel, ProjectionModel, SeriesModel
from friren.core.models.system import AuditLog, SystemMetadata

__all__ = ["Account", "AuditLog", "FactModel", "ProjectionModel", "SeriesModel", "SystemMetadata", "User"]
