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
        """Let losses, and facts that belong together, travel through the journal."""
        from friren.persistence import losses
        from friren.persistence.batches import store_group
        from friren.persistence.groups import GROUP
        from friren.persistence.handlers import register_handler
        from friren.persistence.policies import KindPolicy, register_policy

        losses.register()
        register_handler(GROUP, store_group)
        # What is told together is told of something that happened: the fills of a round trip, a correction.
        register_policy(GROUP, KindPolicy(synced=True, happened=True))
