"""The app of schedules: the queue's tables, and the log of what was run."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["JobsConfig"]


class JobsConfig(AppConfig):
    """Schedules, and the runs of them."""

    name = "friren.operations.jobs"
    label = "jobs"
    verbose_name = "Schedules"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the ground floor's schedules, and their check."""
        from friren.operations.jobs import health, schedules

        schedules.register_all()
        health.register_all()
