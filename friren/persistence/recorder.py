"""
The recorder: the one door through which loggers write.

In direct mode a record is one commit, and its receipt says STORED or DUPLICATE.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from friren.errors import ConfigurationError, RejectedRecordError, shown
from friren.persistence import checks, handlers
from friren.persistence.facts import Fact
from friren.persistence.receipts import BulkReceipt, Receipt, WriteOutcome

__all__ = ["Recorder"]

MODES: Final = ("direct",)


class Recorder:
    """
    Writes facts.

    Args:
        mode: "direct": the call returns when the record is committed.
        using: alias of the database.
    """

    def __init__(self, *, mode: str = "direct", using: str = "default") -> None:
        if mode not in MODES:
            raise ConfigurationError(f"mode={shown(mode)}: must be one of {', '.join(MODES)}")
        self.mode, self.using = mode, using
        self._closed = threading.Event()

    def record(self, fact: Fact) -> Receipt:
        """
        Store one fact in one commit.

        Raises:
            RejectedRecordError: the data is wrong; nothing was stored.
            RuntimeError: called inside an open transaction, or after close().
        """
        self.refuse_closed()
        return handlers.apply(fact, using=self.using)

    def record_all(self, facts: Sequence[Fact]) -> list[Receipt]:
        """Store several facts in one commit: all of them, or none when one is refused. Errors as for `record`."""
        self.refuse_closed()
        return handlers.apply_all(facts, using=self.using)

    def record_many(
        self, makers: Sequence[Callable[[], Fact]], *, parameters: Mapping[str, str] | None = None
    ) -> BulkReceipt:
        """
        Make and store facts one by one; a wrong one is reported by its index and does not stop the rest.

        Args:
            parameters: what the caller calls the columns that it knows by another name.
        """
        stored = duplicates = 0
        rejected: list[tuple[int, RejectedRecordError]] = []
        for index, make in enumerate(makers):
            try:
                fact = make()
            except RejectedRecordError as exc:
                rejected.append((index, exc))
                continue
            try:
                outcome = self.record(fact).outcome
            except RejectedRecordError as exc:
                rejected.append((index, exc.named(parameters or {})))
                continue
            stored += outcome is WriteOutcome.STORED
            duplicates += outcome is WriteOutcome.DUPLICATE
        return BulkReceipt(stored, duplicates, rejected)

    def flush(self, timeout: float) -> bool:
        """Return whether everything recorded here is stored within `timeout` seconds; in direct mode it is at once."""
        checks.check_stat("timeout", timeout)
        return True

    def refuse_closed(self) -> None:
        """Raise RuntimeError after close()."""
        if self._closed.is_set():
            raise RuntimeError("this service is closed")

    def close(self) -> None:
        """Refuse further records. Safe to call twice."""
        self._closed.set()
