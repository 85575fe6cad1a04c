"""The writing side of a journal: one per process, any number of threads."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from friren.persistence.journal.address import Address
from friren.persistence.journal.reader import Damage, Record

__all__ = ["Journal"]


class Journal:
    """
    The records of this process, on disk until PostgreSQL has them.

    Made for one process: after a fork the child's copy refuses to append, and the child makes its own.

    Args:
        root: FRIREN_HOME/journal.
        address: the database these records are for.

    Attributes:
        producer: UUID of this writer; `JournalCursor.producer`.
        address: as given.
        directory: where the segments lie.

    Raises:
        JournalUnavailableError: the directory or the first segment cannot be made.
    """

    producer: UUID
    address: Address
    directory: Path

    def __init__(self, root: Path, address: Address, *, segment_bytes: int = 0, files: object = None) -> None: ...

    @property
    def last_seq(self) -> int:
        """The number of the last record that was accepted; 0 before the first."""
        ...

    def append(self, payload: bytes, *, sync: bool) -> int:
        """
        Add a record and return its number, once it survives `kill -9` (and, with `sync`, a power cut).

        Callers with `sync` share one fdatasync among all who wait for one.

        Raises:
            JournalUnavailableError: the disk refuses; the record counts as not accepted.
        """
        ...

    def read(self, from_seq: int, limit: int) -> list[Record | Damage]:
        """Return up to `limit` records from number `from_seq` on, in order; what is unreadable is named as Damage."""
        ...

    def drained(self, seq: int) -> None:
        """Say that every record up to `seq` is in PostgreSQL: segments that hold no other are given up by and by."""
        ...

    def close(self) -> None:
        """Sync, give the lock back, remove what is empty and drained. Safe to call twice."""
        ...
