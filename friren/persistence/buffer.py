"""The last resort: records in memory, while database and disk both refuse. Bounded, counted, in order."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import threading
from typing import NamedTuple

from django.utils import timezone

from friren.persistence.policies import KindPolicy
from friren.persistence.settings import BUFFER_BYTES_MAX, BUFFER_RECORDS_MAX, BUFFER_STOP_SHARE

__all__ = ["Buffer", "Buffered", "Loss"]


class Buffered(NamedTuple):
    """One record that waits, as it would stand in the journal, and whether it is to survive a power cut there."""

    payload: bytes
    sync: bool


@dataclasses.dataclass(slots=True)
class Loss:
    """Records of one kind that were refused because there was no place left."""

    lost: int
    first_at: dt.datetime
    last_at: dt.datetime


class Buffer:
    """
    A queue of records. Safe from any thread.

    Args:
        records_max, bytes_max: how much may wait; facts of what happened already are taken beyond it.

    Attributes:
        queue: what waits, the oldest first; to look at, not to change.
        relieving: held by the one who moves records out: two at a time would each drop what the other has moved.
    """

    def __init__(self, *, records_max: int = BUFFER_RECORDS_MAX, bytes_max: int = BUFFER_BYTES_MAX) -> None:
        self._records_max, self._bytes_max = records_max, bytes_max
        self._lock, self.relieving = threading.Lock(), threading.Lock()
        self.queue: collections.deque[Buffered] = collections.deque()
        self._bytes = 0
        self._losses: dict[str, Loss] = {}

    def __len__(self) -> int:
        return len(self.queue)

    @property
    def fill(self) -> float:
        """How full it is, 0 to 1; more than 1 when what happened already had to be taken."""
        return max(len(self.queue) / self._records_max, self._bytes / self._bytes_max)

    @property
    def stops_risk(self) -> bool:
        """Whether no new risk may be taken any more."""
        return self.fill >= BUFFER_STOP_SHARE

    def add(self, kind: str, record: Buffered, policy: KindPolicy) -> bool:
        """Take a record. Returns False when there is no place for one of its kind; it is then counted as lost."""
        with self._lock:
            if self.fill >= 1 and not policy.happened:
                now = timezone.now()
                loss = self._losses.setdefault(kind, Loss(0, now, now))
                loss.lost, loss.last_at = loss.lost + 1, now
                return False
            self.queue.append(record)
            self._bytes += len(record.payload)
            return True

    def first(self) -> Buffered | None:
        """Return the record that waits longest; it stays until `drop_first`."""
        with self._lock:
            return self.queue[0] if self.queue else None

    def drop_first(self) -> None:
        """Give up the record that waited longest: it is safe now."""
        with self._lock:
            self._bytes -= len(self.queue.popleft().payload)

    def take_losses(self) -> dict[str, Loss]:
        """Return what was lost since the last call, by kind."""
        with self._lock:
            losses, self._losses = self._losses, {}
            return losses

    def put_back_losses(self, losses: dict[str, Loss]) -> None:
        """Remember losses again that could not be written down."""
        with self._lock:
            for kind, loss in losses.items():
                later = self._losses.setdefault(kind, Loss(0, loss.first_at, loss.last_at))
                later.lost, later.first_at = later.lost + loss.lost, loss.first_at
