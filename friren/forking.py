"""A forked child opens its own connections; the ones it inherits belong to its parent."""

from __future__ import annotations

import contextlib
import os
import weakref
from typing import Any, Final

import psycopg
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.backends.signals import connection_created

__all__ = ["register"]

# Kept for ever, so that no destructor in the child says goodbye on the parent's sockets or waits for the
# parent's threads.
_inherited: list[Any] = []
# Whatever thread opened them: a child has to find those of threads that it does not have.
_open: Final[weakref.WeakSet[psycopg.Connection[Any]]] = weakref.WeakSet()
_registered = False


def register() -> None:
    """Let every child of this process begin without connections (once; nothing on systems without fork)."""
    global _registered  # noqa: PLW0603 - hooks cannot be taken back, so a second one would stay
    if not _registered and hasattr(os, "register_at_fork"):
        connection_created.connect(_remember)
        os.register_at_fork(after_in_child=_forget_connections)
        _registered = True


def _remember(connection: BaseDatabaseWrapper, **_: Any) -> None:
    _open.add(connection.connection)


def _forget_connections() -> None:
    pools: dict[str, Any] = DatabaseWrapper._connection_pools  # type: ignore[attr-defined] # noqa: SLF001 - no public way
    resting = [connection for pool in pools.values() for connection in pool._pool]  # noqa: SLF001 - likewise
    _let_go({*_open, *resting})
    _inherited.append(dict(pools))
    pools.clear()
    for connection in connections.all(initialized_only=True):
        _inherited.append(connection.connection)
        connection.connection = None
        # A new wrapper, because this one may stand inside a transaction of the parent's.
        del connections[connection.alias]


def _let_go(theirs: set[psycopg.Connection[Any]]) -> None:
    """
    Close the child's ends of its parent's connections, without a word to the server.

    A socket is closed when nobody has it open any more: as long as the child lived, a parent that was killed would
    keep its sessions, with the locks of a transaction that it was in. One that a pool is just opening is not known yet;
    it has no transaction.
    """
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for connection in theirs:
        # The numbers stay taken: whatever still holds one must not come upon another file.
        with contextlib.suppress(psycopg.Error, OSError):
            os.dup2(nowhere, connection.pgconn.socket, inheritable=False)
    os.close(nowhere)
    _inherited.append(theirs)
    _open.clear()
