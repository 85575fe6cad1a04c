"""The time that waits, deadlines and pauses are measured in; another in its place makes hours of outages a moment."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Final

from friren.persistence.bell import Bell

__all__ = ["CLOCK", "Clock"]


class Clock:
    """The clock of this machine, its chance, and its threads. Seconds are those of time.monotonic()."""

    now = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)
    # From 0 to 1: keeps rivals apart.
    jitter = staticmethod(random.random)

    def wait(self, event: threading.Event | Bell, timeout: float | None) -> bool:
        """Wait until an event is set; return whether it is."""
        return event.wait(timeout)

    def wait_for(self, condition: threading.Condition, met: Callable[[], bool], timeout: float) -> bool:
        """Wait until `met()` holds, its condition held; return whether it does."""
        return condition.wait_for(met, timeout)

    def start(self, thread: threading.Thread) -> None:
        """Let a thread begin, whose waits are by this clock."""
        thread.start()


CLOCK: Final = Clock()
