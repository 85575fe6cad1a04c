"""The statements that cost the server most, where it counts them: the extension pg_stat_statements."""

from __future__ import annotations

from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import sql

__all__ = ["slow_statements"]

SHOWN_MAX: Final = 10
_HINT: Final = (
    "set shared_preload_libraries = 'pg_stat_statements', restart PostgreSQL, and run "
    "CREATE EXTENSION pg_stat_statements in this database"
)
_SCHEMA: Final = """
    SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'pg_stat_statements'
"""
_SLOWEST: Final = """
    SELECT query, calls, total_exec_time, mean_exec_time, max_exec_time, rows
    FROM {}.pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY total_exec_time DESC LIMIT %s
"""
_COLUMNS: Final = ("query", "calls", "total_ms", "mean_ms", "max_ms", "rows")


def slow_statements(using: str = DEFAULT_DB_ALIAS) -> dict[str, Any]:
    """
    Return the ten statements on which the server spent most time.

    Returns:
        `statements`, each with `query` (its values left out), `calls`, `total_ms`, `mean_ms`, `max_ms` and `rows`; and
        `hint`: what to do where the server does not count them; None where it does.

    Raises:
        DatabaseError: the database does not answer.
    """
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT 'pg_stat_statements' = ANY (string_to_array(replace("
                       "current_setting('shared_preload_libraries'), ' ', ''), ','))")  # fmt: skip
        loaded = cursor.fetchone()[0]
        cursor.execute(_SCHEMA)
        found = cursor.fetchone()
        if not loaded or found is None:
            return {"statements": [], "hint": _HINT}
        cursor.execute(sql.SQL(_SLOWEST).format(sql.Identifier(found[0])), [SHOWN_MAX])
        rows = [dict(zip(_COLUMNS, row, strict=True)) for row in cursor.fetchall()]
    for row in rows:
        row["query"] = " ".join(row["query"].split())
        row |= {name: round(row[name], 3) for name in ("total_ms", "mean_ms", "max_ms")}
    return {"statements": rows, "hint": None}
