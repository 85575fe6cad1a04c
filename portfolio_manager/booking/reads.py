"""What is held now, in one query that also says whether anything is not booked yet."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import connections

from portfolio_manager.accounting import average_price, liquidation_distance
from portfolio_manager.booking.database import query, sql
from portfolio_manager.booking.state import has_pending_sql

__all__ = ["PositionRow", "is_pending", "read_positions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRow:
    """
    An open position; money in `currency`, times aware UTC.

    Attributes:
        symbol, venue: ticker and venue; "" for a market.
        market: id of a prediction market; "" for a symbol.
        quantity: more than 0; `side` says which way.
        total_cost: of what is held; of a short what its sale brought in.
        commission: paid in `currency`, never part of the cost.
        current_price, …, marked_at: of the last `mark_to_market`; None before it.
        margin, liquidation_price: of leveraged positions, see `portfolio_manager.accounting.Mark`.
    """

    position_id: UUID
    symbol: str
    venue: str
    market: str
    instrument_type: str
    currency: str
    multiplier: Decimal
    strategy_used: str
    side: str
    slot: str
    quantity: Decimal
    total_cost: Decimal
    opened_quantity: Decimal
    opened_cost: Decimal
    realized_pnl: Decimal
    commission: Decimal
    opened_at: dt.datetime
    regime_at_entry: str
    leverage: Decimal | None
    stop_loss_price: Decimal | None
    target_price: Decimal | None
    current_price: Decimal | None
    current_value: Decimal | None
    unrealized_pnl: Decimal | None
    margin: Decimal | None
    liquidation_price: Decimal | None
    marked_at: dt.datetime | None

    @property
    def entry_price(self) -> Decimal | None:
        """The average price of everything that was added to it; of a split's worth of units, today's."""
        return average_price(self.opened_cost, self.opened_quantity, self.multiplier)

    @property
    def liquidation_distance(self) -> Decimal | None:
        """How far the last mark is from liquidation, as a share of the price; None of what is not leveraged."""
        return liquidation_distance(self.current_price, self.liquidation_price)

    @property
    def entry_date(self) -> dt.datetime:
        """When it was opened."""
        return self.opened_at


_OPEN: Final = """
    SELECT {pending}, p.id, coalesce(y.ticker, ''), coalesce(y.venue, ''), coalesce(p.market_id, ''),
           p.instrument_type, coalesce(y.currency, a.base_currency), coalesce(y.multiplier, 1), p.strategy_used,
           p.side, p.slot, p.quantity, p.total_cost, p.opened_quantity, p.opened_cost, p.realized_pnl, p.commission,
           p.opened_at, p.regime_at_entry, p.leverage, p.stop_loss_price, p.target_price, p.current_price,
           p.current_value, p.unrealized_pnl, p.margin, p.liquidation_price, p.marked_at
    FROM {{Account}} a
    LEFT JOIN {{AccountState}} s ON s.account_id = a.id
    LEFT JOIN {{Position}} p ON p.account_id = a.id AND p.status = 'open'
    LEFT JOIN {{Symbol}} y ON y.id = p.symbol_id
    WHERE a.id = %(account)s
    ORDER BY p.opened_at DESC, p.id DESC
"""


def is_pending(account: UUID, *, using: str) -> bool:
    """Return whether anything of the account is not booked yet."""
    text = (
        f"SELECT {_pending_sql()} FROM {{Account}} a LEFT JOIN {{AccountState}} s ON s.account_id = a.id "
        "WHERE a.id = %(account)s"
    )
    rows = query(using, text, {"account": account})
    return bool(rows) and bool(rows[0][0])


def _pending_sql() -> str:
    return has_pending_sql().replace("%(booked)s", "coalesce(s.booked_seq, 0)")


def read_positions(account: UUID, *, using: str) -> tuple[bool, list[PositionRow]]:
    """Return whether anything of the account is not booked yet, and its open positions, newest first."""
    # A plain cursor of Django's, so that the query is counted and logged as any read is.
    with connections[using].cursor() as cursor:
        cursor.execute(sql(_OPEN.format(pending=_pending_sql())), {"account": account})
        rows = cursor.fetchall()
    names = list(PositionRow.__dataclass_fields__)
    found = [PositionRow(**dict(zip(names, row[1:], strict=True))) for row in rows if row[1] is not None]
    return bool(rows) and rows[0][0], found
