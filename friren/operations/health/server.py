"""The server: recent enough, its replicas close behind, and no rows where no month was made for them."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection
from psycopg import sql

from friren.operations.health.registry import Finding
from friren.operations.health.settings import LAG_SECONDS_MAX, SHOWN_MAX, server_version_min

__all__ = ["check_partitions", "check_server"]

# What a replica has not replayed yet: by its own word, and by that of the server that it follows. One that has
# replayed all it was sent is not behind, however long ago the last transaction was.
_LAG: Final = """
    SELECT pg_is_in_recovery(),
           CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
                ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float END
"""
_REPLICAS: Final = """
    SELECT coalesce(nullif(application_name, ''), client_addr::text, pid::text), state,
           coalesce(extract(epoch FROM replay_lag), 0)::float
    FROM pg_stat_replication ORDER BY 1
"""
_DEFAULTS: Final = """
    SELECT n.nspname, c.relname FROM pg_partitioned_table p
    JOIN pg_class c ON c.oid = p.partdefid JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2
"""


def check_server() -> Finding:
    """Ask the server for its version, and how far replicas are behind."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        number = int(cursor.fetchone()[0])
        cursor.execute(_LAG)
        recovering, behind = cursor.fetchone()
        cursor.execute(_REPLICAS)
        replicas = {name: {"state": state, "lag_seconds": lag} for name, state, lag in cursor.fetchall()}
    version, wanted = divmod(number, 10_000), server_version_min()
    troubles = [
        f"{name} is {replica['lag_seconds']:.0f} s behind"
        for name, replica in replicas.items()
        if replica["lag_seconds"] > LAG_SECONDS_MAX
    ]
    if recovering and (behind or 0) > LAG_SECONDS_MAX:
        troubles.append(f"this replica is {behind:.0f} s behind")
    if version < wanted:
        troubles.append(f"PostgreSQL {_text(version)} is older than {_text(wanted)}: install the update")
    details: dict[str, Any] = {"version": _text(version), "replica": recovering, "replicas": replicas}
    told = f"PostgreSQL {_text(version)}, {len(replicas)} replicas" if not recovering else "a replica, up to date"
    return Finding(ok=not troubles, message="; ".join(troubles) or told, details=details)


def check_partitions() -> Finding:
    """Look into the default partitions: what lies there keeps its month from being made, and is archived by nobody."""
    with connection.cursor() as cursor:
        cursor.execute(_DEFAULTS)
        defaults = cursor.fetchall()
        stray = []
        for schema, table in defaults:
            cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(schema, table)))
            if cursor.fetchone()[0]:
                stray.append(table)
    return Finding(
        ok=not stray,
        message=f"rows outside of every month: {', '.join(stray[:SHOWN_MAX])}"
        if stray
        else f"{len(defaults)} partitioned tables, every row in its month",
        details={"stray": stray},
    )


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
