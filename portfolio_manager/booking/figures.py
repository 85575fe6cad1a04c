"""What a book comes to, in its base currency, as booked and as last marked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.core.numbers import CONTEXT, ZERO
from portfolio_manager.booking.books import catch_up
from portfolio_manager.booking.database import Row, query
from portfolio_manager.booking.reads import is_pending
from portfolio_manager.booking.whole import query_whole

__all__ = ["BookFigures", "HeldFigures", "account_figures", "book_figures", "held_figures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFigures:
    """
    What is held. Positions in other currencies than the base are in no figure.

    Attributes:
        invested: the cost of what is held, of what was sold short what it brought in, negative.
        unrealized: of open positions at their last marks; one without a mark counts as 0.
        value: cash and what is held, at the last marks; a position without one at its cost.
        margin: of leveraged positions.
        unmarked: open positions without a mark.
    """

    balance: Decimal
    invested: Decimal
    unrealized: Decimal
    value: Decimal
    margin: Decimal
    open_positions: int
    trade_count: int
    unmarked: int

    @property
    def margin_free(self) -> Decimal:
        """What is not tied up."""
        return CONTEXT.subtract(self.value, self.margin)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookFigures(HeldFigures):
    """
    The sums of a book, with what was closed.

    Attributes:
        realized, commission: since the book began; commission is not in `realized`.
    """

    realized: Decimal
    commission: Decimal


_FIGURES: Final = """
    SELECT coalesce(s.balance, 0) AS balance, coalesce(s.total_invested, 0) AS invested, p.unrealized,
           coalesce(s.balance, 0) + p.value AS value, p.margin, p.open_positions,
           coalesce(s.trade_count, 0) AS trade_count, p.unmarked, p.realized, p.commission
    FROM {{Account}} a LEFT JOIN {{AccountState}} s ON s.account_id = a.id CROSS JOIN LATERAL (
        SELECT coalesce(sum(p.realized_pnl), 0) AS realized,
               coalesce(sum(p.commission), 0) AS commission,
               coalesce(sum(p.unrealized_pnl) FILTER (WHERE p.status = 'open'), 0) AS unrealized,
               coalesce(sum(p.margin) FILTER (WHERE p.status = 'open'), 0) AS margin,
               coalesce(sum(CASE WHEN p.instrument_type = 'LEVERAGED' THEN coalesce(p.unrealized_pnl, 0)
                                 ELSE coalesce(p.current_value,
                                               CASE WHEN p.side = 'SHORT' THEN -p.total_cost ELSE p.total_cost END)
                            END) FILTER (WHERE p.status = 'open'), 0) AS value,
               count(*) FILTER (WHERE p.status = 'open') AS open_positions,
               count(*) FILTER (WHERE p.status = 'open' AND p.unrealized_pnl IS NULL) AS unmarked
        FROM {{Position}} p LEFT JOIN {{Symbol}} y ON y.id = p.symbol_id
        WHERE p.account_id = a.id AND coalesce(y.currency, a.base_currency) = a.base_currency {only}
    ) p WHERE a.id = %(account)s
"""
_COUNTS: Final = ("open_positions", "trade_count", "unmarked")
_HELD: Final = tuple(HeldFigures.__dataclass_fields__)


def book_figures(account: UUID, *, using: str) -> BookFigures:
    """Return what the book of an account comes to; everything of it is booked. Reads all of its positions."""
    rows = query_whole(using, _FIGURES.format(only=""), {"account": account})
    return BookFigures(**_told(rows, (*_HELD, "realized", "commission")))


def held_figures(account: UUID, *, using: str) -> HeldFigures:
    """Return what an account holds, however much it has closed; everything of it is booked."""
    # What is open is in no archive.
    rows = query(using, _FIGURES.format(only="AND p.status = 'open'"), {"account": account})
    return HeldFigures(**_told(rows, _HELD))


def _told(rows: list[Row], names: tuple[str, ...]) -> dict[str, Any]:
    return dict(zip(names, rows[0], strict=False)) if rows else dict.fromkeys(names, ZERO) | dict.fromkeys(_COUNTS, 0)


def account_figures(account: UUID, *, using: str) -> dict[str, Any]:
    """Return how an account stands, as an AccountSnapshot tells it; what is not booked yet is booked before."""
    if is_pending(account, using=using):
        catch_up(account, using=using)
    held = held_figures(account, using=using)
    return {
        "balance": held.balance, "equity": held.value, "margin_used": held.margin, "margin_free": held.margin_free,
        "open_pl": held.unrealized, "open_positions": held.open_positions,
    }  # fmt: skip
