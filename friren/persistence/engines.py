"""The engines of this process: found by alias, made when first asked for, made anew after a fork, closed at the end."""

from __future__ import annotations

import atexit
import os
import sys
import threading

from friren.persistence.engine import Engine
from friren.persistence.settings import CLOSE_SECONDS

__all__ = ["close_all", "engine_for", "existing"]

_engines: dict[str, Engine] = {}
_lock = threading.Lock()
# Kept for ever in a forked child: a destructor there would say goodbye on the parent's sockets.
_inherited: list[Engine] = []


def engine_for(using: str = "default") -> Engine:
    """Return this process's engine for a database, made if there is none."""
    engine = _engines.get(using)
    if engine is None:
        with _lock:
            engine = _engines.get(using)
            if engine is None:
                _close_at_the_end()
                engine = _engines[using] = Engine(using)
    return engine


def existing() -> list[Engine]:
    """Return the engines that were made in this process."""
    return list(_engines.values())


def close_all(timeout: float = CLOSE_SECONDS) -> None:
    """Close every engine of this process; the next record makes a new one, which is another producer."""
    while _engines:
        _alias, engine = _engines.popitem()
        engine.close(timeout)


def _close_at_the_end() -> None:
    """A child of multiprocessing ends without the handlers of atexit; it has finalizers of its own."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing import util

        util.Finalize(None, close_all, exitpriority=0)


def _begin_anew() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it
    _lock = threading.Lock()
    _inherited.extend(_engines.values())
    _engines.clear()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
