"""A bell that a calling thread rings for one that waits."""

from __future__ import annotations

import contextlib
import threading

__all__ = ["Bell"]


class Bell:
    """
    What threading.Event is to one thread that waits, on a plain lock.

    An exception from the handler of a signal can leave an Event locked for ever, and the callers of loggers, who ring
    this one, may be told to stop anywhere.
    """

    def __init__(self) -> None:
        self._silent = threading.Lock()
        self._silent.acquire()

    def is_set(self) -> bool:
        """Return whether it was rung."""
        return not self._silent.locked()

    def set(self) -> None:
        """Ring it: the thread that waits goes on."""
        if self._silent.locked():
            with contextlib.suppress(RuntimeError):  # another thread has rung it just now
                self._silent.release()

    def clear(self) -> None:
        """Forget that it was rung."""
        self._silent.acquire(blocking=False)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is rung, `timeout` seconds at most; return whether it was."""
        rung = self._silent.acquire(timeout=-1 if timeout is None else timeout)
        if rung:
            self.set()
        return rung
