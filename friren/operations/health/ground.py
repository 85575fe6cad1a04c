"""The ground floor's own checks: connectivity, migrations, and whether the tables are those of the models."""

from __future__ import annotations

from typing import Final

from django.db import connection

from friren.operations import schema
from friren.operations.health import server, surroundings
from friren.operations.health.drift import check_tables
from friren.operations.health.registry import CONNECTIVITY, Finding, register

__all__ = ["check_connectivity", "check_migrations", "register_all"]

SERVER_MAJOR_MIN: Final = 15


def register_all() -> None:
    """Register the checks of the ground floor that need no other part of it."""
    register(CONNECTIVITY, check_connectivity)
    register("migrations", check_migrations)
    register("tables", check_tables, thorough=True)
    register("server", server.check_server)
    register("partitions", server.check_partitions, thorough=True)
    register("disk", surroundings.check_disk)
    register("pool", surroundings.check_pool)


def check_connectivity() -> Finding:
    """Ask the server for its version."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000")
        version, major = cursor.fetchone()
    details = {"server_version": version, "database": connection.settings_dict["NAME"]}
    if major < SERVER_MAJOR_MIN:
        return Finding(
            ok=False, message=f"PostgreSQL {version} is too old: {SERVER_MAJOR_MIN} is needed", details=details
        )
    return Finding(ok=True, message=f"PostgreSQL {version}", details=details)


def check_migrations() -> Finding:
    """Compare the migrations of the code with those of the database."""
    missing = schema.unapplied()
    message = f"{len(missing)} not applied: run `manage.py migrate`" if missing else "all applied"
    return Finding(ok=not missing, message=message, details={"unapplied": missing})
