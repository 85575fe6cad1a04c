"""
Store a fill and book it in two round trips: the common case, where it is the newest of its group and nothing waits.

The first stores the fill, locks the books and asks what the fold must know; the second writes and commits. The fold
and the rows are those of every other booking. Why: docs/decisions/0028.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import itertools
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import Error, connections
from psycopg.pq import TransactionStatus

from friren.persistence.facts import Fact, FieldSpec, spec_of
from friren.persistence.handlers import producer_of
from friren.persistence.inserts import insert_of
from friren.persistence.receipts import Receipt, WriteOutcome
from friren.persistence.retry import Phase, Verdict, judge
from friren.persistence.roundtrip import Call, Row, exchange
from portfolio_manager.accounting import Fill, Fold
from portfolio_manager.booking.changes import POSITIONS, Changes, StoredPosition, rows_of, saved, take_sums
from portfolio_manager.booking.database import insert_sql, sql, update_sql
from portfolio_manager.booking.rows import FILL_COLUMNS, POSITION_COLUMNS, fill_of, lots_of, position_of
from portfolio_manager.booking.state import LAST_SEQ, LOCK, SEEN, Group, Locked, locked, unsettled_sql
from portfolio_manager.booking.stored import FACT_OF_LEG, group_condition, group_parameters
from trading_engine.models import Trade

__all__ = ["store_and_book"]

_BEGIN: Final[Call] = ("BEGIN", ())
_COMMIT: Final[Call] = ("COMMIT", ())
_ROLLBACK: Final[Call] = ("ROLLBACK", ())
_OPEN: Final = frozenset({TransactionStatus.INTRANS, TransactionStatus.INERROR})


def store_and_book(fact: Fact, *, using: str) -> Receipt | None:
    """
    Store a fill and book it, in one commit; None when it takes more than that, and then nothing was done.

    It takes more when the fill is there already, when something else waits to be booked or happened later to what it
    trades, when the account was never booked, and when the database refuses it.

    Args:
        fact: a trade.
        using: alias of the database, in autocommit.

    Raises:
        RejectedRecordError: a sum would reach 1e20; nothing was stored.
        DatabaseError: the database is in trouble.
    """
    connection = connections[using]
    insert = insert_of(fact, using=using, producer=producer_of(using))
    try:
        return _store_and_book(connection, fact, insert, using)
    except Error as exc:
        if judge(exc, Phase.COMMIT).verdict in {Verdict.RETRY, Verdict.RECONNECT}:
            raise
        return None  # the long way finds out what the matter is, and names it
    finally:
        _roll_back(connection)


def _roll_back(connection: Any) -> None:
    """End the transaction if it is open."""
    for _attempt in range(2):
        if connection.connection is None or connection.connection.pgconn.transaction_status not in _OPEN:
            return
        # A ROLLBACK that was prepared may be forgotten, as psycopg has it after others; the error tells, and the
        # next one is prepared anew.
        with contextlib.suppress(Error):
            exchange(connection, _ROLLBACK)


def _store_and_book(connection: Any, fact: Fact, insert: Call, using: str) -> Receipt | None:
    told = _fill_row(fact, using)
    key, at, instrument_type, symbol, market = told[:5]
    group = Group(instrument_type, symbol, market, told[_STRATEGY])
    account = fact.values["account"]
    asked = group_parameters(account, group, (at, key))
    look, open_now = _questions(of_symbol=symbol is not None)
    # The last number is asked for before the fill is stored, see `state.last_seq`.
    _, ((seen_seq,),), stored, books, found, rows = exchange(
        connection, _BEGIN, (LAST_SEQ, ()), insert, (sql(LOCK), (account,)), (look, asked), (open_now, asked)
    )
    if not (stored and books and found):
        return None
    oldest_running, own, more, currency, multiplier = found[0]
    if more or not all(row[_LAST] for row in rows):
        return None
    state = locked(account, using, books[0], seen_seq)
    state.advance(oldest_running=oldest_running, own=own)
    held = {row[0]: _held(row, currency, multiplier) for row in rows}
    changes = _fold(state, fill_of((*told, currency, multiplier)), held)
    take_sums(state, changes)
    text, sums = saved(state)
    exchange(connection, *_writes(state, changes, held), (sql(text), sums), _COMMIT)
    return Receipt(fact.id, WriteOutcome.STORED)


def _fold(books: Locked, fill: Fill, held: Mapping[UUID, StoredPosition]) -> Changes:
    """Return what the fill changes; nothing of its group comes after it."""
    effect = Fold(**books.rules, opening=[stored.state for stored in held.values()]).apply(fill)
    return Changes(
        positions=[(held.get(key), position) for key, position in effect.positions.items()],
        legs=effect.legs,
        entries=effect.entries,
        trades=1,
    )


def _writes(books: Locked, changes: Changes, held: Mapping[UUID, StoredPosition]) -> Iterator[Call]:
    for table, rows in rows_of(books, changes):
        if table is POSITIONS:
            # One by one: what closes makes room for what opens.
            for row in rows:
                yield _moved(row) if row[0] in held else (insert_sql(*table), row)
        else:
            yield insert_sql(*table, rows=len(rows)), list(itertools.chain.from_iterable(rows))


def _moved(row: Row) -> Call:
    """Return what writes a position that is there: what identifies it stays, the account at its end among it."""
    model, columns = POSITIONS
    return update_sql(model, columns[_KEPT:-1]), (*row[_KEPT:-1], row[0])


_KEPT: Final = POSITION_COLUMNS.index("quantity")
_STRATEGY: Final = FILL_COLUMNS.index("strategy_used")


def _fill_row(fact: Fact, using: str) -> Row:
    """Return what is stored of a fill as FILL_COLUMNS."""
    row = [fact.id]
    for field in _fill_fields():
        value = fact.values.get(field.name, field.default)
        if value is not None and field.natural is not None:
            value = field.natural.resolve(value, fact, using=using)
        row.append(value)
    return tuple(row)


@functools.cache
def _fill_fields() -> list[FieldSpec]:
    fields = {field.column: field for field in spec_of(Trade).fields.values()}
    return [fields[column] for column in FILL_COLUMNS[1:]]


_OPENED: Final = POSITION_COLUMNS.index("opened_at")
# Where a row of the second question says how the position's legs end.
_LAST: Final = len(POSITION_COLUMNS) + 1


def _held(row: Row, currency: str | None, multiplier: Decimal | None) -> StoredPosition:
    opened_at = dt.datetime.fromisoformat(row[_OPENED])
    columns = (*row[:_OPENED], opened_at, *row[_OPENED + 1 :])
    state = position_of(columns, currency, multiplier, lots_of(row[_LAST + 1]))
    return StoredPosition(state, price=row[_LAST - 1])


@functools.cache
def _questions(*, of_symbol: bool) -> tuple[str, str]:
    """
    Return what is asked about a group: how it stands beside other facts, and what is held.

    Other facts than legs at the very moment of the fill count as later here: the long way puts them in order.
    """
    kind = Group("", 0 if of_symbol else None, None if of_symbol else "", "")
    events = (
        "SELECT FROM {CorporateAction} a WHERE a.account_id = %(account)s AND a.symbol_id = %(instrument)s "
        "AND a.effective_at >= %(time)s"
        if of_symbol
        else "SELECT FROM {MarketResolution} r WHERE r.account_id = %(account)s AND r.market_id = %(instrument)s "
        "AND r.resolved_at >= %(time)s"
    )
    closed = (
        f"SELECT FROM {{Position}} p WHERE p.account_id = %(account)s AND {group_condition(kind, 'p')} "
        "AND p.closed_at >= %(time)s"
    )
    instrument = "y.currency, y.multiplier" if of_symbol else "NULL, NULL"
    look = (
        f"SELECT {SEEN}, {unsettled_sql()} OR EXISTS ({events}) OR EXISTS ({closed}), {instrument} "
        f"FROM {{AccountState}} s {'JOIN {Symbol} y ON y.id = %(instrument)s ' if of_symbol else ''}"
        "WHERE s.account_id = %(account)s"
    )
    # As text: Django's way to read a time is the dearest part of reading a position.
    columns = ", ".join(f"p.{column}{'::text' * (column == 'opened_at')}" for column in POSITION_COLUMNS)
    # Of legs at one time the greatest fact is the last; asked for in two steps, since a sort would read many legs.
    last_time = "SELECT max(g.executed_at) FROM {PositionFill} g WHERE g.position_id = p.id"
    held = (
        f"SELECT {columns}, p.current_price, last.* FROM {{Position}} p LEFT JOIN LATERAL ("
        f"SELECT (f.executed_at, {FACT_OF_LEG}) < (%(time)s, %(id)s), f.lots_after FROM {{PositionFill}} f "
        f"WHERE f.position_id = p.id AND f.executed_at = ({last_time}) ORDER BY {FACT_OF_LEG} DESC LIMIT 1"
        f") last ON true WHERE p.account_id = %(account)s AND {group_condition(kind, 'p')} AND p.status = 'open'"
    )
    return sql(look), sql(held)
