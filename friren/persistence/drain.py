"""From journal to PostgreSQL: batches, each with its cursor in one transaction."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Protocol
from uuid import UUID

from friren.persistence.journal import Address, Damage, Record

__all__ = ["Drained", "Drainer", "Source", "adopt"]


class Source(Protocol):
    """A journal to drain: a Journal, or the JournalReader of one that another process left."""

    producer: UUID
    address: Address

    @property
    def last_seq(self) -> int: ...
    def read(self, from_seq: int, limit: int) -> list[Record | Damage]: ...
    def drained(self, seq: int) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Drained:
    """
    What one or more batches came to.

    Attributes:
        stored, duplicates, dead_lettered: records that left the journal, by outcome.
        remaining: records still in it.
        waiting: those among them whose parent is not stored yet.
    """

    stored: int = 0
    duplicates: int = 0
    dead_lettered: int = 0
    remaining: int = 0
    waiting: int = 0


class Drainer:
    """
    Moves one journal into one database.

    Any number of drainers may work on one journal, in one process or several: the cursor row decides.

    Args:
        source: the journal.
        using: alias of the database; its address must be the journal's (`adopt_foreign` says it need not).
        batch_rows: records per transaction at most.
    """

    def __init__(self, source: Source, *, using: str = "default", batch_rows: int = 0) -> None: ...

    @property
    def position(self) -> int:
        """Every record up to this number is stored, a duplicate or a dead letter, as far as this drainer knows."""
        ...

    def drain_once(self) -> Drained:
        """
        Move one batch. Runs on the calling thread's connection, outside any transaction.

        Raises:
            DatabaseError: the database is in trouble; the batch counts as not moved, the cursor tells the next time.
        """
        ...

    def drain_all(self, *, timeout: float | None = None) -> Drained:
        """Move batches until nothing is left, all that is left waits for a parent, or `timeout` seconds are over."""
        ...

    def run(self) -> None:
        """Drain until `stop`; for a thread of its own. Trouble with the database is waited out, never raised."""
        ...

    def wake(self) -> None:
        """Something was appended: do not wait for the next look. Cheap enough for every append."""
        ...

    def stop(self) -> None:
        """Let `run` return after the batch it is at. Safe from any thread and to call twice."""
        ...


def adopt(root: Path, address: Address, *, using: str = "default", timeout: float | None = None) -> Drained:
    """Drain what dead processes left for the database at `address`. Raises DatabaseError like `drain_once`."""
    ...
