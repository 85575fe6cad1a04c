"""Time limits of statements: those of the configuration for bots and pages, none for work that an operator began."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

__all__ = ["without_time_limits"]

# A busy account is worth waiting for; an operator who waits longer wants to know who holds it.
_LIMITS: Final = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0", "lock_timeout": "30s"}


@contextlib.contextmanager
def without_time_limits(database: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """
    Let statements and transactions take what they take, on every connection that is opened meanwhile.

    An import of a million rows is one COPY, a refold one long transaction: limits that protect a trading loop
    would abort them half way. Waiting for a lock stays limited, to 30 s.
    """

    def lift(connection: BaseDatabaseWrapper, **_: Any) -> None:
        if connection.alias == database:
            with connection.cursor() as cursor:
                for name, limit in _LIMITS.items():
                    cursor.execute(f"SET {name} = '{limit}'")

    current = connections[database]
    connection_created.connect(lift, weak=False, dispatch_uid=lift)
    try:
        if current.connection is not None:
            lift(current)
        yield
    finally:
        connection_created.disconnect(dispatch_uid=lift)
        if current.connection is not None:
            # A broken connection has lost its settings with itself.
            with contextlib.suppress(DatabaseError), current.cursor() as cursor:
                for name in _LIMITS:
                    cursor.execute(f"RESET {name}")
