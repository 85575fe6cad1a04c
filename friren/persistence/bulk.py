"""Many facts by one call: in batches, each of them one commit, each fact with a verdict of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Generic, TypeVar

from django.db import connections

from friren.errors import RejectedRecordError
from friren.persistence.batches import apply_batch, prepare
from friren.persistence.facts import Fact
from friren.persistence.handlers import Verdict, one_commit, producer_of
from friren.persistence.meanwhile import meanwhile
from friren.persistence.receipts import BulkReceipt, WriteOutcome
from friren.persistence.settings import BULK_BATCH_ROWS, BULK_STATEMENT_SECONDS, READ_AHEAD_ROWS

__all__ = ["record_in_batches", "store_batch"]

Told = TypeVar("Told")


def record_in_batches(
    told: Iterable[Told],
    make: Callable[[Told], Fact],
    record: Callable[[Sequence[Fact]], Sequence[Verdict]],
    *,
    parameters: Mapping[str, str],
) -> BulkReceipt:
    """
    Make facts and record them batch by batch, so that any number of them takes the memory of one batch or two.

    Args:
        told: what facts are made of.
        make: returns the fact of one, or raises RejectedRecordError, which is reported by its index.
        record: takes a batch and returns a verdict for each fact.
        parameters: what the caller calls the columns that it knows by another name.
    """
    counts = dict.fromkeys(WriteOutcome, 0)
    reader = _Reader(told, make)
    rejected = reader.rejected
    while batch := reader.take():
        indexes, facts = batch
        # Anything but a list may wait for its next item, and a batch must not stay open for that.
        with meanwhile(reader.read_ahead) if isinstance(told, list | tuple) else nullcontext():
            verdicts = record(facts) if facts else ()
        for index, verdict in zip(indexes, verdicts, strict=True):
            if isinstance(verdict, RejectedRecordError):
                rejected.append((index, verdict.named(parameters)))
            else:
                counts[verdict] += 1
    return BulkReceipt(
        stored=counts[WriteOutcome.STORED],
        duplicates=counts[WriteOutcome.DUPLICATE],
        rejected=sorted(rejected, key=lambda item: item[0]),
        journaled=counts[WriteOutcome.JOURNALED],
        buffered=counts[WriteOutcome.BUFFERED],
        lost=counts[WriteOutcome.LOST],
    )


class _Reader(Generic[Told]):
    """
    Makes the facts of a batch, at once or some at a time.

    Attributes:
        rejected: (index, error) of what no fact could be made of.
    """

    def __init__(self, told: Iterable[Told], make: Callable[[Told], Fact]) -> None:
        self.rejected: list[tuple[int, RejectedRecordError]] = []
        self._numbered, self._fact_of = enumerate(told), make
        self._error: Exception | None = None
        self._begin()

    def _begin(self) -> None:
        self._indexes: list[int] = []
        self._facts: list[Fact] = []
        self._read = 0

    def take(self) -> tuple[list[int], list[Fact]] | None:
        """Return the facts of a batch with their places in the input; None when there was nothing to make."""
        if self._error is None:
            self._make(BULK_BATCH_ROWS)
        if self._error is not None:
            raise self._error
        batch = (self._indexes, self._facts) if self._read else None
        self._begin()
        return batch

    def read_ahead(self) -> None:
        """Make some facts of the next batch; what goes wrong is raised when that is taken."""
        if self._error is None:
            self._make(READ_AHEAD_ROWS)

    def _make(self, count: int) -> None:
        try:
            for index, one in itertools.islice(self._numbered, min(count, BULK_BATCH_ROWS - self._read)):
                self._read += 1
                try:
                    self._facts.append(self._fact_of(one))
                except RejectedRecordError as exc:
                    self.rejected.append((index, exc))
                else:
                    self._indexes.append(index)
        except Exception as exc:  # noqa: BLE001 - the caller's own, raised when the batch is taken
            self._error = exc


def store_batch(facts: Sequence[Fact], *, using: str) -> list[Verdict]:
    """
    Store facts in one commit; those that are refused do not stop the others.

    Raises:
        DatabaseError: the database is in trouble; nothing was stored.
    """
    prepare(facts, using=using)
    with one_commit(using):
        with connections[using].cursor() as cursor:
            # A batch takes longer than the single record that the connection's own limit is made for.
            cursor.execute(f"SET LOCAL statement_timeout = {BULK_STATEMENT_SECONDS * 1000:.0f}")
        return apply_batch(facts, using=using, producer=producer_of(using))
