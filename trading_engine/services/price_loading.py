"""
Bars into the price table, in bulk: COPY into a temporary table, one INSERT … SELECT, and a count of what was there.

Column names come from the model; nothing a caller gives ends in SQL text.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connections, transaction
from django.utils import timezone

from friren.core.ids import natural_id
from friren.core.partitions import ensure_months
from friren.persistence.archived import sources
from friren.persistence.digest import digest_of
from friren.persistence.facts import spec_of
from friren.persistence.settings import BULK_DEADLINE_SECONDS, BULK_STATEMENT_SECONDS, LOCK_WAIT_SHARE
from trading_engine.data.bars import Bar
from trading_engine.models import Price
from trading_engine.services.price_revisions import VALUES, keep_old_values
from trading_engine.symbols import symbol_id

__all__ = [
    "BATCH_ROWS_MAX",
    "LoadedBatch",
    "PriceFact",
    "PriceLoader",
    "Revising",
    "load_within",
    "make_months",
    "price_fact",
    "price_values",
    "symbols_of",
]

# Large enough that the round trips do not count, small enough that a batch is a few megabytes.
BATCH_ROWS_MAX: Final = 10_000
# Each month is a partition with four indexes, and a transaction holds a lock on each: a batch over all of history
# would take a third of the lock table that an unconfigured server has for everyone.
BATCH_MONTHS_MAX: Final = 60
# A load may wait for another one longer than a trading loop waits for anything; months are made one load at a time.
LOCK_SECONDS: Final = BULK_DEADLINE_SECONDS * LOCK_WAIT_SHARE

_KEY: Final = ("symbol_id", "timestamp", "source", "timeframe")
_SAME: Final = " AND ".join(f'stored."{name}" = load."{name}"' for name in _KEY)
_NEAR: Final = "stored.timestamp BETWEEN %s AND %s AND stored.symbol_id = ANY(%s)"


class PriceFact(NamedTuple):
    """A bar with its identity: the id of its natural key and the digest of its values."""

    ticker: str
    venue: str
    bar: Bar
    id: UUID
    digest: bytes


def price_fact(bar: Bar, *, venue: str = "") -> PriceFact:
    """Return the fact of a bar; equal bars give equal ids and digests in every process."""
    key = natural_id("price", bar.symbol, venue, bar.source, bar.timeframe, bar.timestamp)
    return PriceFact(bar.symbol, venue, bar, key, digest_of(price_values(bar, venue)))


def price_values(bar: Bar, venue: str) -> dict[str, Any]:
    """Return the values of the fact of a bar, as `Fact` has them."""
    values: dict[str, Any] = {"symbol": [bar.symbol, venue]}
    for name, default in _defaults():
        value = getattr(bar, name)
        if value is not None and value != default:
            values[name] = value
    return values


@functools.cache
def _defaults() -> list[tuple[str, Any]]:
    return [(name, field.default) for name, field in spec_of(Price).fields.items() if name != "symbol"]


@dataclass(slots=True)
class LoadedBatch:
    """
    What became of a batch.

    Attributes:
        stored: rows that are new.
        conflicts: positions in the batch whose bar is stored with other values, in order.
        revised: how many of them replaced the stored values.
    """

    stored: int = 0
    conflicts: list[int] = field(default_factory=list)
    revised: int = 0


@dataclass(frozen=True, slots=True)
class Revising:
    """
    Stored values that differ are replaced, and the old ones kept in a PriceRevision.

    Attributes:
        at: of the call; a bar is revised once by it.
        reason: why.
        after_seq: rows with a number above it are the call's own work, and not revised by it; None where that is
            not known.
    """

    at: dt.datetime
    reason: str
    after_seq: int | None


class PriceLoader:
    """
    Loads the batches of one call.

    Args:
        revising: replace stored values that differ, and keep the old ones in a PriceRevision.
        reason: why, for the revisions.
    """

    def __init__(self, *, revising: bool = False, reason: str = "") -> None:
        self._revising = Revising(timezone.now(), reason, None) if revising else None
        self._months: set[dt.date] = set()

    @property
    def revising(self) -> Revising | None:
        """What this call revises by, if it does."""
        return self._revising

    def batches(self, facts: Iterable[PriceFact]) -> Iterator[list[PriceFact]]:
        """Cut a stream into batches of bounded size and bounded span."""
        batch: list[PriceFact] = []
        months: set[tuple[int, int]] = set()
        for fact in facts:
            month = (fact.bar.timestamp.year, fact.bar.timestamp.month)
            if len(batch) >= BATCH_ROWS_MAX or (month not in months and len(months) >= BATCH_MONTHS_MAX):
                yield batch
                batch, months = [], set()
            batch.append(fact)
            months.add(month)
        if batch:
            yield batch

    def load(self, batch: Sequence[PriceFact], using: str) -> LoadedBatch:
        """
        Store a batch in one commit.

        Raises:
            DatabaseError: the database is in trouble; nothing of this batch was stored.
        """
        symbols = symbols_of(batch, using=using)
        months = {fact.bar.timestamp.date().replace(day=1) for fact in batch} - self._months
        make_months(months, using=using)
        self._months |= months
        with transaction.atomic(using=using, durable=True):
            _patiently(using)
            if self._revising is not None and self._revising.after_seq is None:
                self._revising = dataclasses.replace(self._revising, after_seq=_next_seq(using))
            return load_within(batch, symbols, revising=self._revising, using=using)


def symbols_of(batch: Sequence[PriceFact], *, using: str) -> dict[tuple[str, str], int]:
    """Return the ids of the symbols of bars by (ticker, venue); unknown ones are made."""
    return {(fact.ticker, fact.venue): symbol_id([fact.ticker, fact.venue], using=using) for fact in batch}


def make_months(months: Collection[dt.date], *, using: str) -> None:
    """Make the partitions of months; it waits for every load under way, so it holds nothing while it does."""
    if months:
        with transaction.atomic(using=using, durable=True):
            _patiently(using)
            ensure_months(Price._meta.db_table, months, using=using)


def load_within(
    batch: Sequence[PriceFact], symbols: Mapping[tuple[str, str], int], *, revising: Revising | None, using: str
) -> LoadedBatch:
    """Store a batch in the caller's transaction, whose months are there. Errors as for `PriceLoader.load`."""
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute(_sql().create)
        with connection.wrap_database_errors, cursor.copy(_sql().copy) as copy:
            for position, fact in enumerate(batch):
                copy.write_row(_row(position, fact, symbols[fact.ticker, fact.venue]))
        cursor.execute(_sql().insert)
        loaded = LoadedBatch(stored=cursor.rowcount)
        if loaded.stored == len(batch):
            return loaded
        moments = [fact.bar.timestamp for fact in batch]
        first, last, ids = min(moments), max(moments), sorted(set(symbols.values()))
        cursor.execute(_conflicts(tuple(sources(Price._meta.db_table, using))), [first, last, ids])
        conflicts = cursor.fetchall()
        loaded.conflicts = [position for position, _id in conflicts]
        if revising is not None and conflicts:
            positions = keep_old_values(
                candidates=_first_of_each(batch, conflicts),
                bounds=(first, last),
                after_seq=revising.after_seq,
                revised_at=revising.at,
                reason=revising.reason,
                using=using,
            )
            cursor.execute(_sql().replace, [positions, first, last, ids])
            loaded.revised = cursor.rowcount
    return loaded


def _patiently(using: str) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_SECONDS * 1000:.0f}")
        cursor.execute(f"SET LOCAL statement_timeout = {BULK_STATEMENT_SECONDS * 1000:.0f}")


def _next_seq(using: str) -> int:
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT friren_next_seq()")
        return int(cursor.fetchone()[0])


def _first_of_each(
    batch: Sequence[PriceFact], conflicts: Iterable[tuple[int, UUID]]
) -> dict[UUID, tuple[int, PriceFact]]:
    """Return (position, new bar) by id of the stored row, where the bar's first mention in the batch differs."""
    first: dict[UUID, int] = {}
    for position, fact in enumerate(batch):
        first.setdefault(fact.id, position)
    return {
        stored: (position, batch[position]) for position, stored in conflicts if first[batch[position].id] == position
    }


def _row(position: int, fact: PriceFact, symbol: int) -> tuple[Any, ...]:
    bar = fact.bar
    return (position, fact.id, fact.digest, *(symbol if name == "symbol" else getattr(bar, name) for name in _names()))


@functools.cache
def _names() -> tuple[str, ...]:
    return tuple(spec_of(Price).fields)


class _Statements(NamedTuple):
    create: str
    copy: str
    insert: str
    replace: str


@functools.cache
def _sql() -> _Statements:
    # Names come from the model, never from a caller.
    table = f'"{Price._meta.db_table}"'
    columns = ("id", "digest", *(field.column for field in spec_of(Price).fields.values()))
    names = ", ".join(f'"{name}"' for name in columns)
    key = ", ".join(f'"{name}"' for name in _KEY)
    changed = ", ".join(f'"{name}" = load."{name}"' for name in (*VALUES, "is_suspect", "digest"))
    return _Statements(
        create=f"CREATE TEMPORARY TABLE price_load ON COMMIT DROP AS "  # noqa: S608 - names of the model
        f"SELECT 0 AS position, {names} FROM {table} WITH NO DATA",
        copy=f"COPY price_load (position, {names}) FROM STDIN",
        # In the order of the key, so that two loads of the same bars wait for one another and never in a circle.
        insert=f"INSERT INTO {table} ({names}) SELECT {names} FROM price_load ORDER BY {key}, position "  # noqa: S608 - names of the model
        # Of either key: the id is made of the natural one, and a rival may be met at the primary key first.
        "ON CONFLICT DO NOTHING",
        replace=f"UPDATE {table} AS stored SET {changed} FROM price_load AS load "  # noqa: S608 - names of the model
        f"WHERE load.position = ANY(%s) AND {_SAME} AND {_NEAR}",
    )


@functools.cache
def _conflicts(tables: tuple[str, ...]) -> str:
    """Return the query for bars that are stored with other values; what was archived counts, and is never revised."""
    columns = ", ".join(f'"{name}"' for name in ("id", "digest", *_KEY))
    stored = " UNION ALL ".join(f"SELECT {columns} FROM {table}" for table in tables)  # noqa: S608 - names of the model
    return (
        f"SELECT load.position, stored.id FROM price_load AS load JOIN ({stored}) AS stored ON {_SAME} "  # noqa: S608 - names of the model
        f"WHERE {_NEAR} AND stored.digest <> load.digest ORDER BY load.position"
    )
