"""
Blocking calls from within an event loop.

A bot on asyncio that calls `log_trade` and not `alog_trade` holds its loop up for as long as the call takes, which the
deadline bounds. Django would refuse the call instead, and an executed fill with it. Nothing of what it guards against
can happen here: a connection is lent to one call, which runs to its end before the loop goes on.
"""

from __future__ import annotations

from asyncio import _get_running_loop, _set_running_loop
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["outside_event_loop"]


@contextmanager
def outside_event_loop() -> Iterator[None]:
    """Let this thread's calls to the database be made as if no event loop were running in it."""
    loop = _get_running_loop()
    try:
        _set_running_loop(None)
        yield
    finally:
        _set_running_loop(loop)
