"""Many facts by one call: in batches, each of them one commit, each fact with a verdict of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

from django.db import connections

from friren.errors import RejectedRecordError
from friren.persistence.batches import apply_batch, prepare
from friren.persistence.facts import Fact
from friren.persistence.handlers import Verdict, one_commit, producer_of
from friren.persistence.receipts import BulkReceipt, WriteOutcome
from friren.persistence.settings import BULK_BATCH_ROWS, BULK_STATEMENT_SECONDS

__all__ = ["record_in_batches", "store_batch"]


def record_in_batches(
    makers: Iterable[Callable[[], Fact]],
    record: Callable[[Sequence[Fact]], Sequence[Verdict]],
    *,
    parameters: Mapping[str, str],
) -> BulkReceipt:
    """
    Make facts and record them batch by batch, so that any number of them takes the memory of one batch.

    Args:
        makers: return a fact, or raise RejectedRecordError, which is reported by its index.
        record: takes a batch and returns a verdict for each fact.
        parameters: what the caller calls the columns that it knows by another name.
    """
    counts = dict.fromkeys(WriteOutcome, 0)
    rejected: list[tuple[int, RejectedRecordError]] = []
    numbered = enumerate(makers)
    while batch := _made(itertools.islice(numbered, BULK_BATCH_ROWS), rejected):
        indexes, facts = batch
        for index, verdict in zip(indexes, record(facts) if facts else (), strict=True):
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


def _made(
    makers: Iterable[tuple[int, Callable[[], Fact]]], rejected: list[tuple[int, RejectedRecordError]]
) -> tuple[list[int], list[Fact]] | None:
    """Return the facts of a batch with their places in the input; None when there was nothing to make."""
    indexes: list[int] = []
    facts: list[Fact] = []
    index = -1
    for index, make in makers:
        try:
            facts.append(make())
        except RejectedRecordError as exc:
            rejected.append((index, exc))
        else:
            indexes.append(index)
    return None if index < 0 else (indexes, facts)


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
