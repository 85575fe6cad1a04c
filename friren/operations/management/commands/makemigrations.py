"""Django's `makemigrations`, which starts no embedded server only to compare histories."""

from __future__ import annotations

import warnings
from typing import Any

from django.conf import settings
from django.core.management.commands import makemigrations
from django.test.utils import override_settings

from friren.embedded import locate, status

__all__ = ["Command"]


class Command(makemigrations.Command):
    """Write migrations for changed models."""

    def handle(self, *app_labels: str, **options: Any) -> None:
        """Write them; the history in the database is compared when the database is there."""
        if not settings.FRIREN_EMBEDDED or status(locate(settings.FRIREN_HOME)).running:
            super().handle(*app_labels, **options)
            return
        with override_settings(FRIREN_EMBEDDED_AUTOSTART=False), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Got an error checking a consistent migration history")
            super().handle(*app_labels, **options)
