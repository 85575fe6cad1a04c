"""Statements that the server keeps prepared, on Django's own connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

__all__ = ["fetch_prepared"]


def fetch_prepared(connection: Any, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """
    Run a statement that returns rows, and return them.

    Django's own cursors bind on the client and never prepare: the server would parse and plan each one anew.

    Args:
        connection: of Django, on any alias.
    """
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(sql, parameters).fetchall()
