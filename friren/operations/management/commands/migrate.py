"""Django's `migrate`, one process at a time and without the time limits of ordinary work."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate

from friren.operations.schema import migration_session

__all__ = ["Command"]


class Command(migrate.Command):
    """Apply migrations."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Apply them under the migration lock; a look at the plan takes no lock."""
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        with migration_session(options["database"]):
            super().handle(*args, **options)
