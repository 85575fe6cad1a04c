"""
Work that is done while the server takes in what it was sent, so that both sides are busy.

A COPY keeps the server busy for twice as long as it takes to make its lines. In that time what comes next is got ready:
the facts of the next batch, or the next records of a journal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["a_little", "meanwhile"]


class _Waiting(threading.local):
    work: Callable[[], None] | None = None


_waiting = _Waiting()


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """
    Have `work` called now and then on this thread while the block waits for a server.

    Args:
        work: does some hundred microseconds of work, waits for nothing, asks no database and raises nothing.
    """
    _waiting.work = work
    try:
        yield
    finally:
        _waiting.work = None


def a_little() -> None:
    """Do some of the work that there is for the meantime."""
    if _waiting.work is not None:
        _waiting.work()
