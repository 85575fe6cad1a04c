"""Why a connection fails: the pool only says that it took too long, one direct attempt says why."""

from __future__ import annotations

from typing import Any

import psycopg
import psycopg_pool
from django.db import DEFAULT_DB_ALIAS, connections

from friren.logging_config import redact

__all__ = ["connect_directly", "explain", "one_line"]


def one_line(error: BaseException) -> str:
    """Return the message of an error as one line without secrets."""
    return redact(" ".join(str(error).split())) or type(error).__name__


def connect_directly(database: str = DEFAULT_DB_ALIAS, **changes: Any) -> psycopg.Connection[Any]:
    """
    Return a new connection to a configured database, past Django and its pool, in autocommit.

    Args:
        changes: connection parameters in place of the configured ones, e.g. `dbname`.
    """
    parameters = connections[database].get_connection_params()
    parameters.pop("cursor_factory", None)
    return psycopg.connect(**parameters | changes, autocommit=True)


def explain(error: BaseException, database: str = DEFAULT_DB_ALIAS) -> str:
    """Return why the database cannot be reached, in one line: by the error itself, or by asking directly."""
    if not isinstance(error.__cause__, psycopg_pool.PoolTimeout):
        return one_line(error)
    try:
        connect_directly(database).close()
    except psycopg.Error as exc:
        return one_line(exc)
    return f"{one_line(error)}: the server answers, but all connections of the pool are in use (DB_POOL_MAX_SIZE)"
