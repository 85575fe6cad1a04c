"""How far a journal is synced, and what a failing disk may have lost."""

from __future__ import annotations

from collections import deque

__all__ = ["Synced"]


class Synced:
    """
    Guarded by the lock of the journal it belongs to.

    Attributes:
        upto: records up to this number survive a power cut, but for those that failed.
        held: bytes by number of the records that somebody waits for, to be written again when the disk fails to sync.
    """

    def __init__(self) -> None:
        self.upto = 0
        self._held: deque[tuple[int, bytes]] = deque()
        self._failed = range(0)

    @property
    def held(self) -> dict[int, bytes]:
        """A copy of them."""
        return dict(self._held)

    def hold(self, seq: int, data: bytes) -> None:
        """Keep the bytes of a record until it is synced."""
        self._held.append((seq, data))

    def covers(self, seq: int) -> bool:
        """Return whether a record survives a power cut."""
        return self.upto >= seq and seq not in self._failed

    def has_failed(self, seq: int) -> bool:
        """Return whether the disk failed to sync a record, for good."""
        return seq in self._failed

    def succeeded(self, upto: int) -> None:
        """Note that all records up to a number are synced."""
        self.upto = max(self.upto, upto)
        while self._held and self._held[0][0] <= self.upto:
            self._held.popleft()

    def failed(self, upto: int) -> None:
        """Note that the records that were not synced yet, up to a number, never will be."""
        self._failed = range(self._failed.start if self._failed else self.upto + 1, upto + 1)
        self._held.clear()
