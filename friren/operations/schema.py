"""Migrations: which are missing, and applying them one process at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

__all__ = ["has_history", "migrate", "migration_session", "unapplied", "unknown"]

# One number for all migrations of Friren in a database: "friren" in ASCII.
ADVISORY_LOCK: Final = 0x66726972656E


def unapplied(database: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Return the migrations that the code has and the database has not, as `app.name`, in order."""
    executor = MigrationExecutor(connections[database])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


def unknown(database: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Return the migrations that the database has and the code has not, as `app.name`: a newer Friren was here."""
    loader = MigrationLoader(connections[database], ignore_no_migrations=True)
    known = set(loader.disk_migrations or {})
    known |= {replaced for migration in (loader.disk_migrations or {}).values() for replaced in migration.replaces}
    return sorted(f"{app}.{name}" for app, name in set(loader.applied_migrations or {}) - known)


def has_history(database: str = DEFAULT_DB_ALIAS) -> bool:
    """Return whether the database was ever migrated; one that was not has nothing to lose."""
    return bool(MigrationRecorder(connections[database]).applied_migrations())


def migrate(database: str = DEFAULT_DB_ALIAS, *, verbosity: int = 0) -> None:
    """Apply all migrations; of several processes one works and the others find nothing left to do."""
    call_command("migrate", database=database, verbosity=verbosity, interactive=False)


@contextlib.contextmanager
def migration_session(database: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """
    Hold the migration lock on this thread's connection, without the time limits of ordinary work.

    A migration of a large table takes what it takes; limits that suit a logger would abort it half way.
    """
    connection = connections[database]
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET lock_timeout = 0")
        cursor.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        cursor.execute("SET lock_timeout = '10s'")
    try:
        yield
    finally:
        # A broken connection has lost the lock and the settings with itself.
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])
            cursor.execute("RESET statement_timeout")
            cursor.execute("RESET lock_timeout")
