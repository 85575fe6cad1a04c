"""Whether the caller stands inside a transaction of its own: asked at every call, so it must cost next to nothing."""

from __future__ import annotations

import os
import threading
from typing import Final

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from friren.persistence.event_loops import outside_event_loop

__all__ = ["open_transaction"]


class _Wrappers(threading.local):
    """Django's connections of this thread; its own register costs more than all checks of a trade together."""

    def __init__(self) -> None:
        self.by_alias: dict[str, BaseDatabaseWrapper] = {}


_wrappers: Final = _Wrappers()


def open_transaction(using: str) -> bool:
    """Return whether this thread has a transaction open on the database `using`."""
    wrapper = _wrappers.by_alias.get(using)
    if wrapper is None:
        with outside_event_loop():  # in one, Django's register is another
            wrapper = _wrappers.by_alias[using] = connections[using]
    return wrapper.in_atomic_block


if hasattr(os, "register_at_fork"):
    # The child's connections are new ones. The forking thread's own register is meant, so it is looked up then.
    os.register_at_fork(after_in_child=lambda: _wrappers.by_alias.clear())  # noqa: PLW0108
