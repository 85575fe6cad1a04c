"""A bell that a calling thread rings for one that waits."""

from __future__ import annotations

import contextlib
import threading

__all__ = ["Bell"]


class Bell:
    """
    Wakes one thread; rung again before it is heard, it rings once.

    In place of threading.Event, which an exception from the handler of a signal can leave locked for ever: the
    callers of loggers ring it, and they may be told to stop anywhere.
    """

    def __init__(self) -> None:
        self._silent = threading.Lock()
        self._silent.acquire()

    def ring(self) -> None:
        """Let the thread that waits, or the next one to wait, go on."""
        if self._silent.locked():
            with contextlib.suppress(RuntimeError):  # another thread has rung it just now
                self._silent.release()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it is rung, `timeout` seconds at most; what was rung before this call counts."""
        self._silent.acquire(timeout=-1 if timeout is None else timeout)

    def hush(self) -> None:
        """Forget that it was rung."""
        self._silent.acquire(blocking=False)
