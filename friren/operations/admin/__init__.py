"""The stock admin, safe on large tables: what upper floors build theirs with, and the ground floor's own tables."""

from friren.operations.admin import archives, audit, backups, ground, jobs, metrics, write_path

__all__ = ["archives", "audit", "backups", "ground", "jobs", "metrics", "write_path"]
