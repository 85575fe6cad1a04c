"""The operations app: what keeps the database healthy."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["OperationsConfig"]


class OperationsConfig(AppConfig):
    """Backups, archives, health, audit seals and the commands for them."""

    name = "friren.operations"
    label = "operations"
    verbose_name = "Operations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks of the configuration and of health, and make forks safe."""
        from friren import accounts, checks, forking
        from friren.operations import hardening, logins, slow_queries
        from friren.operations.health import archive, audit, backups, ground, wal, write_path

        checks.register()
        forking.register()
        hardening.register()
        logins.register()
        accounts.register()
        archive.register_all()
        audit.register_all()
        backups.register_all()
        slow_queries.register()
        ground.register_all()
        wal.register_all()
        write_path.register_all()
