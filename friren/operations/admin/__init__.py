"""The stock admin, safe on large tables: what upper floors build theirs with, and the ground floor's own tables."""

from friren.operations.admin import ground

__all__ = ["ground"]
