"""Mark open positions to market."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.core.numbers import CONTEXT
from portfolio_manager.accounting import Side, mark
from portfolio_manager.booking.books import book, booking
from portfolio_manager.booking.database import Row, execute, pipelined, query
from portfolio_manager.booking.state import Locked

__all__ = ["Marked", "mark_books", "mark_positions"]


@dataclass(frozen=True, slots=True)
class Marked:
    """
    What marking did.

    Attributes:
        positions: how many got a new mark; None when the database could not be asked: then nothing was marked, and
            the next marks take the place of these.
        unpriced: tickers and markets that are held but were not priced, in order.
    """

    positions: int | None
    unpriced: tuple[str, ...]

    @property
    def done(self) -> bool:
        """Whether the marks were stored."""
        return self.positions is not None


_HELD: Final = """
    SELECT p.id, coalesce(y.ticker, p.market_id), coalesce(y.venue, ''), p.instrument_type, p.side, p.quantity,
           p.total_cost, coalesce(y.multiplier, 1), p.leverage, p.marked_at
    FROM {Position} p LEFT JOIN {Symbol} y ON y.id = p.symbol_id
    WHERE p.account_id = %s AND p.status = 'open' ORDER BY 2, 3, p.id
"""
_MARK: Final = """
    UPDATE {Position} SET current_price = %s, current_value = %s, unrealized_pnl = %s, margin = %s,
        liquidation_price = %s, marked_at = %s, updated_at = statement_timestamp() WHERE id = %s
"""


def mark_books(account: UUID, prices: Mapping[Any, Decimal], at: dt.datetime, *, using: str) -> Marked:
    """Bring the books of an account up to date and mark what is held; arguments as for `mark_positions`."""
    with booking(using) as seen_seq:
        books, _ = book(account, seen_seq=seen_seq, using=using)
        return mark_positions(books, prices, at)


def mark_positions(books: Locked, prices: Mapping[Any, Decimal], at: dt.datetime) -> Marked:
    """
    Mark what is held in the locked books; a mark that is newer than `at` is left as it is.

    Args:
        books: locked and up to date.
        prices: by ticker or (ticker, venue), by id of a market (its YES token; a NO token is worth the rest of 1).
        at: when the prices were seen, aware.
    """
    unpriced: list[str] = []
    count = 0
    held = query(books.using, _HELD, (books.account,))
    with pipelined(books.using):
        for row in held:
            position, name, venue, marked_at = row[0], row[1], row[2], row[9]
            price = prices.get((name, venue), prices.get(name))
            if price is None:
                unpriced.append(name)
            elif marked_at is None or marked_at <= at:
                execute(books.using, _MARK, (*_marks(row, price), at, position))
                count += 1
    return Marked(count, tuple(dict.fromkeys(unpriced)))


def _marks(row: Row, price: Decimal) -> tuple[Decimal | None, ...]:
    _, _, _, instrument_type, side, quantity, cost, multiplier, leverage, _ = row
    own = CONTEXT.subtract(Decimal(1), price) if side == Side.NO else price
    seen = mark(
        instrument_type=instrument_type,
        side=side,
        quantity=quantity,
        total_cost=cost,
        price=own,
        multiplier=multiplier,
        leverage=leverage,
    )
    return (own, seen.value, seen.unrealized_pnl, seen.margin, seen.liquidation_price)
