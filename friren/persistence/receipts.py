"""What a logger call ended in, and what a read gives back."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections.abc import Iterable
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from friren.errors import RejectedRecordError

__all__ = ["BulkReceipt", "Receipt", "Rows", "WriteOutcome"]

Row = TypeVar("Row")


class WriteOutcome(enum.StrEnum):
    """Where a record is now. An exception instead means that the caller's data is wrong."""

    STORED = "STORED"  # PostgreSQL committed it
    DUPLICATE = "DUPLICATE"  # it was already there, with the same content
    JOURNALED = "JOURNALED"  # on this machine's disk, and will be stored, a duplicate or a dead letter
    BUFFERED = "BUFFERED"  # in memory only: database and disk both refused
    # Nothing was to be recorded, and the database could not be asked: it follows when the books are next touched.
    DEFERRED = "DEFERRED"
    LOST = "LOST"  # telemetry only: database, disk and memory all refused; a LossRecord counts it


class Receipt(msgspec.Struct, frozen=True):
    """
    The outcome of one record.

    Attributes:
        id: of the record, known whatever the outcome.
        outcome: where it is now.
        synced: it survives a power cut; what is JOURNALED without it survives the end of this process only.
    """

    id: UUID
    outcome: WriteOutcome
    synced: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class BulkReceipt:
    """
    The outcome of many records.

    Attributes:
        stored, duplicates: how many.
        rejected: (index in the input, error), in order.
        journaled, buffered, lost: how many of each of these outcomes.
    """

    stored: int = 0
    duplicates: int = 0
    rejected: list[tuple[int, RejectedRecordError]] = dataclasses.field(default_factory=list)
    journaled: int = 0
    buffered: int = 0
    lost: int = 0


class Rows(list[Row]):
    """
    Rows read, newest first, with how fresh they are.

    Attributes:
        as_of: when they were read from the database, UTC; None means unknown, never "nothing there".
        stale: the database could not be asked; these are what was known at `as_of`.
        next: give it as `after=` for the following page; None at the end.
    """

    def __init__(
        self,
        rows: Iterable[Row] = (),
        *,
        as_of: dt.datetime | None,
        stale: bool = False,
        next: Any = None,  # noqa: A002 - the name the contract gives it
    ) -> None:
        super().__init__(rows)
        self.as_of, self.stale, self.next = as_of, stale, next
