"""What a book comes to, in its base currency, as booked and as last marked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.core.numbers import CONTEXT, ZERO
from portfolio_manager.booking.database import query

__all__ = ["BookFigures", "book_figures", "highest_profit", "realized_since"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookFigures:
    """
    The sums of a book. Positions in other currencies than the base are in none of them.

    Attributes:
        invested: the cost of what is held, of what was sold short what it brought in, negative.
        realized, commission: since the book began; commission is not in `realized`.
        unrealized: of open positions at their last marks; one without a mark counts as 0.
        value: cash and what is held, at the last marks; a position without one at its cost.
        margin: of leveraged positions.
        unmarked: open positions without a mark.
    """

    balance: Decimal
    invested: Decimal
    realized: Decimal
    unrealized: Decimal
    commission: Decimal
    value: Decimal
    margin: Decimal
    open_positions: int
    trade_count: int
    unmarked: int

    @property
    def profit(self) -> Decimal:
        """Realised and unrealised, less commission."""
        return CONTEXT.subtract(CONTEXT.add(self.realized, self.unrealized), self.commission)


_FIGURES: Final = """
    SELECT coalesce(s.balance, 0), coalesce(s.total_invested, 0), p.realized, p.unrealized, p.commission,
           coalesce(s.balance, 0) + p.value, p.margin, p.held, coalesce(s.trade_count, 0), p.unmarked
    FROM {Account} a LEFT JOIN {AccountState} s ON s.account_id = a.id CROSS JOIN LATERAL (
        SELECT coalesce(sum(p.realized_pnl), 0) AS realized,
               coalesce(sum(p.commission), 0) AS commission,
               coalesce(sum(p.unrealized_pnl) FILTER (WHERE p.status = 'open'), 0) AS unrealized,
               coalesce(sum(p.margin) FILTER (WHERE p.status = 'open'), 0) AS margin,
               coalesce(sum(CASE WHEN p.instrument_type = 'LEVERAGED' THEN coalesce(p.unrealized_pnl, 0)
                                 ELSE coalesce(p.current_value,
                                               CASE WHEN p.side = 'SHORT' THEN -p.total_cost ELSE p.total_cost END)
                            END) FILTER (WHERE p.status = 'open'), 0) AS value,
               count(*) FILTER (WHERE p.status = 'open') AS held,
               count(*) FILTER (WHERE p.status = 'open' AND p.unrealized_pnl IS NULL) AS unmarked
        FROM {Position} p LEFT JOIN {Symbol} y ON y.id = p.symbol_id
        WHERE p.account_id = a.id AND coalesce(y.currency, a.base_currency) = a.base_currency
    ) p WHERE a.id = %(account)s
"""
# The profit after every fill; what was unrealised in between is known from snapshots alone.
_CURVE: Final = """
    SELECT coalesce(max(profit), 0) FROM (
        SELECT sum(f.realized_pnl - f.commission) OVER (ORDER BY f.executed_at, f.id) AS profit
        FROM {PositionFill} f JOIN {Position} p ON p.id = f.position_id JOIN {Account} a ON a.id = p.account_id
        LEFT JOIN {Symbol} y ON y.id = p.symbol_id
        WHERE f.account_id = %(account)s AND coalesce(y.currency, a.base_currency) = a.base_currency
        UNION ALL
        SELECT n.realized_pnl + n.total_unrealized_pnl - n.total_commission FROM {PortfolioSnapshot} n
        WHERE n.account_id = %(account)s AND n.source = ''
    ) curve
"""
_SINCE: Final = """
    SELECT coalesce(sum(f.realized_pnl - f.commission), 0)
    FROM {PositionFill} f JOIN {Position} p ON p.id = f.position_id JOIN {Account} a ON a.id = p.account_id
    LEFT JOIN {Symbol} y ON y.id = p.symbol_id
    WHERE f.account_id = %(account)s AND f.executed_at >= %(since)s
      AND coalesce(y.currency, a.base_currency) = a.base_currency
"""


def book_figures(account: UUID, *, using: str) -> BookFigures:
    """Return what the book of an account comes to; everything of it is booked."""
    names = list(BookFigures.__dataclass_fields__)
    rows = query(using, _FIGURES, {"account": account})
    found: dict[str, Any] = dict(zip(names, rows[0] if rows else [ZERO] * 7 + [0] * 3, strict=True))
    return BookFigures(**found)


def highest_profit(account: UUID, *, using: str) -> Decimal:
    """Return the height of profit less commission: after any fill, at any snapshot, and 0 at the start."""
    ((highest,),) = query(using, _CURVE, {"account": account})
    return max(ZERO, Decimal(highest))


def realized_since(account: UUID, since: dt.datetime, *, using: str) -> Decimal:
    """Return what was realised, less commission, by fills executed at `since` or later."""
    ((realized,),) = query(using, _SINCE, {"account": account, "since": since})
    found: Decimal = realized
    return found
