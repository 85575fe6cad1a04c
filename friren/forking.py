"""A forked child opens its own connections; the ones it inherits belong to its parent."""

from __future__ import annotations

import os
from typing import Any

from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

__all__ = ["register"]

# Kept for ever, so that no destructor in the child says goodbye on the parent's sockets or waits for the
# parent's threads.
_inherited: list[Any] = []
_registered = False


def register() -> None:
    """Let every child of this process begin without connections (once; nothing on systems without fork)."""
    global _registered  # noqa: PLW0603 - hooks cannot be taken back, so a second one would stay
    if not _registered and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget_connections)
        _registered = True


def _forget_connections() -> None:
    pools: dict[str, Any] = DatabaseWrapper._connection_pools  # type: ignore[attr-defined] # noqa: SLF001 - no public way
    _inherited.append(dict(pools))
    pools.clear()
    for connection in connections.all(initialized_only=True):
        _inherited.append(connection.connection)
        connection.connection = None
        # A new wrapper, because this one may stand inside a transaction of the parent's.
        del connections[connection.alias]
