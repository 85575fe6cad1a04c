"""What differs between the stored books and the folded ones, and how it is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
from django.db import models

from friren.core.numbers import CONTEXT, ZERO, plain
from portfolio_manager.accounting import (
    Entry,
    InstrumentType,
    Leg,
    Mark,
    PositionState,
    Side,
    bounded,
    mark,
)
from portfolio_manager.booking.database import Row, execute, execute_many, query, upsert_sql
from portfolio_manager.booking.rows import (
    ENTRY_COLUMNS,
    LEG_COLUMNS,
    POSITION_COLUMNS,
    entry_row,
    leg_row,
    position_row,
)
from portfolio_manager.booking.state import Locked
from portfolio_manager.models import LedgerEntry, Position, PositionFill

__all__ = ["POSITIONS", "Changes", "StoredPosition", "rows_of", "save", "saved", "take_sums", "write"]


# A model and the columns that are written of it.
Table = tuple[type[models.Model], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class StoredPosition:
    """A stored position: its state without lots, and the price at which it was last marked."""

    state: PositionState
    price: Decimal | None = None


@dataclass(slots=True)
class Changes:
    """
    Rows to write and rows to delete.

    Attributes:
        positions: (what is stored, None if nothing is; what it is to be, None to delete it).
        legs, entries: to write.
        lost_legs, lost_entries: stored, to delete.
        old_legs, replaced_entries: the stored forms of those to write that are there already.
        undone_trades: trades whose ledger entries are to go: they were busted.
        trades: how many more trades are booked than before.
    """

    positions: list[tuple[StoredPosition | None, PositionState | None]] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    lost_legs: list[UUID] = field(default_factory=list)
    old_legs: dict[UUID, Leg] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    lost_entries: list[Entry] = field(default_factory=list)
    replaced_entries: list[Entry] = field(default_factory=list)
    undone_trades: list[UUID] = field(default_factory=list)
    trades: int = 0

    def __bool__(self) -> bool:
        return any((self.positions, self.legs, self.lost_legs, self.entries, self.lost_entries, self.undone_trades))


def write(books: Locked, changes: Changes) -> None:
    """Write the changes, and take them into the account's sums; `save` stores those."""
    using = books.using
    # What goes, goes first: a surviving row may take its place (one open position per slot).
    if changes.lost_legs:
        execute(using, "DELETE FROM {PositionFill} WHERE id = ANY(%s)", (changes.lost_legs,))
    if changes.lost_entries:
        lost = [line.id for line in changes.lost_entries]
        execute(using, "DELETE FROM {LedgerEntry} WHERE id = ANY(%s)", (lost,))
    undone = _delete_entries_of(books, changes.undone_trades)
    gone = [stored.state.id for stored, wanted in changes.positions if stored is not None and wanted is None]
    if gone:
        # Through the ORM, which also lets go of what people have attached to a position.
        Position.objects.using(using).filter(id__in=gone).delete()
    for table, rows in rows_of(books, changes):
        execute_many(using, upsert_sql(*table), rows)
    take_sums(books, changes)
    _add_cash(books, ((currency, amount.copy_negate()) for currency, amount in undone))


def rows_of(books: Locked, changes: Changes) -> list[tuple[Table, list[Row]]]:
    """Return the rows to write by table and columns, in an order that every constraint bears."""
    account = (books.account,)
    legs = [leg_row(leg) + account for leg in changes.legs]
    entries = [entry_row(line) + account for line in changes.entries]
    written = ((POSITIONS, _position_rows(books, changes)), (_LEGS, legs), (_ENTRIES, entries))
    return [(table, rows) for table, rows in written if rows]


def take_sums(books: Locked, changes: Changes) -> None:
    """Take the changes into the account's sums; what is deleted by fact is not among them."""
    for stored, wanted in changes.positions:
        _take_position(books, stored.state if stored else None, wanted)
    _add_cash(books, ((line.currency, line.amount) for line in changes.entries))
    _add_cash(books, ((line.currency, line.amount.copy_negate()) for line in changes.lost_entries))
    _add_cash(books, ((line.currency, line.amount.copy_negate()) for line in changes.replaced_entries))
    books.trade_count += changes.trades


def _delete_entries_of(books: Locked, trades: list[UUID]) -> list[tuple[str, Decimal]]:
    if not trades:
        return []
    text = "DELETE FROM {LedgerEntry} WHERE trade_id = ANY(%s) AND position_id IS NULL RETURNING currency, amount"
    return [(currency, amount) for currency, amount in query(books.using, text, (trades,))]


_MARK_COLUMNS: Final = ("current_value", "unrealized_pnl", "margin", "liquidation_price")
_NO_MARK: Final = (None,) * len(_MARK_COLUMNS)
POSITIONS: Final[Table] = (Position, (*POSITION_COLUMNS, *_MARK_COLUMNS, "status", "account_id"))
_LEGS: Final[Table] = (PositionFill, (*LEG_COLUMNS, "account_id"))
_ENTRIES: Final[Table] = (LedgerEntry, (*ENTRY_COLUMNS, "account_id"))


def _position_rows(books: Locked, changes: Changes) -> list[Row]:
    rows = []
    for stored, wanted in changes.positions:
        if wanted is not None:
            status = "open" if wanted.quantity else "closed"
            marks = _mark_columns(wanted, stored.price if stored else None)
            rows.append((*position_row(wanted), *marks, status, books.account))
    # Closed ones first: one open position per slot.
    rows.sort(key=lambda row: row[-2])
    return rows


def _mark_columns(position: PositionState, price: Decimal | None) -> tuple[Decimal | None, ...]:
    """Return what the last mark says of the position as it is now; a closed one is worth nothing more."""
    if price is None or not position.quantity:
        return _NO_MARK
    seen: Mark = mark(
        instrument_type=position.instrument.type,
        side=position.side,
        quantity=position.quantity,
        total_cost=position.total_cost,
        price=price,
        multiplier=position.instrument.multiplier,
        leverage=position.leverage,
    )
    return (seen.value, seen.unrealized_pnl, seen.margin, seen.liquidation_price)


def _take_position(books: Locked, before: PositionState | None, after: PositionState | None) -> None:
    """Take a position's change into what the account has invested and earned, in its own currency."""
    for position, sign in ((before, -1), (after, 1)):
        if position is None or (position.instrument.currency or books.base_currency) != books.base_currency:
            continue
        realized, invested = position.realized_pnl, invested_in(position)
        if sign < 0:
            realized, invested = realized.copy_negate(), invested.copy_negate()
        books.total_profit_loss = CONTEXT.add(books.total_profit_loss, realized)
        books.total_invested = CONTEXT.add(books.total_invested, invested)


def invested_in(position: PositionState) -> Decimal:
    """Return the cost of what is held, negative for a short; leveraged positions are not paid for."""
    if position.instrument.type == InstrumentType.LEVERAGED:
        return ZERO
    return position.total_cost.copy_negate() if position.side == Side.SHORT else position.total_cost


def _add_cash(books: Locked, changes: Iterable[tuple[str, Decimal]]) -> None:
    for currency, amount in changes:
        if currency == books.base_currency:
            books.balance = CONTEXT.add(books.balance, amount)
        else:
            total = CONTEXT.add(Decimal(books.balances.pop(currency, "0")), amount)
            if total:  # a currency whose sum is nothing is as if it had never been there
                books.balances[currency] = plain(total)


_json: Final = msgspec.json.Encoder().encode
_SAVE: Final = """
    UPDATE {AccountState} SET balance = %s, balances = %s, total_invested = %s, total_profit_loss = %s,
        trade_count = %s, booked_seq = %s, horizon_seq = %s, horizon_xid = %s, updated_at = statement_timestamp()
    WHERE account_id = %s
"""


def save(books: Locked) -> None:
    """
    Store where the books stand now.

    Raises:
        RejectedRecordError: a sum would reach 1e20.
    """
    execute(books.using, *saved(books))


def saved(books: Locked) -> tuple[str, Row]:
    """Return the SQL that stores where the books stand now, and its values. Errors as for `save`."""
    for name in ("balance", "total_invested", "total_profit_loss"):
        bounded(name, getattr(books, name))
    return _SAVE, (
        books.balance, _json(books.balances).decode(), books.total_invested, books.total_profit_loss, books.trade_count,
        books.booked_seq, books.horizon_seq, books.horizon_xid, books.account,
    )  # fmt: skip
