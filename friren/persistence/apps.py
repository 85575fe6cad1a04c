"""The write path's Django app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["PersistenceConfig"]


class PersistenceConfig(AppConfig):
    """Cursors of journals, dead letters, losses."""

    name = "friren.persistence"
    label = "persistence"
    verbose_name = "Write path"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let losses travel through the journal."""
        from friren.persistence import losses

        losses.register()
