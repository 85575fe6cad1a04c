"""Which records of a journal are no facts: descriptions of refused fills, which nothing can be waiting for."""

from __future__ import annotations

import bisect
import threading

__all__ = ["Descriptions"]


class Descriptions:
    """The numbers of such records, until they are drained. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: list[int] = []

    def add(self, seq: int, *, position: int) -> None:
        """Tell that record `seq` is one; the drain stands at `position`."""
        with self._lock:
            self._forget(position)
            bisect.insort(self._numbers, seq)

    def behind(self, position: int) -> int:
        """Return how many are left when the drain stands at `position`."""
        with self._lock:
            self._forget(position)
            return len(self._numbers)

    def _forget(self, position: int) -> None:
        del self._numbers[: bisect.bisect_right(self._numbers, position)]
