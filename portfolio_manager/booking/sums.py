"""The sums that an account's row keeps, computed anew from the rows they sum."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from friren.core.numbers import ZERO, plain
from portfolio_manager.booking.state import Locked
from portfolio_manager.booking.whole import query_whole

__all__ = ["stored_sums"]

_POSITIONS = """
    SELECT coalesce(sum(p.realized_pnl), 0),
           coalesce(sum(CASE WHEN p.instrument_type = 'LEVERAGED' THEN 0 WHEN p.side = 'SHORT' THEN -p.total_cost
                             ELSE p.total_cost END), 0)
    FROM {Position} p LEFT JOIN {Symbol} s ON s.id = p.symbol_id
    WHERE p.account_id = %(account)s AND coalesce(s.currency, %(base)s) = %(base)s
"""


def stored_sums(books: Locked) -> dict[str, Any]:
    """Return what the sums of an account's row should be, by their names in `Locked`."""
    parameters = {"account": books.account, "base": books.base_currency}
    cash: dict[str, Decimal] = dict(
        query_whole(
            books.using,
            "SELECT currency, sum(amount) FROM {LedgerEntry} l WHERE account_id = %(account)s GROUP BY 1 ORDER BY 1",
            {"account": books.account},
        )
    )
    ((realized, invested),) = query_whole(books.using, _POSITIONS, parameters)
    ((trades,),) = query_whole(
        books.using,
        "SELECT count(DISTINCT trade_id) FROM {PositionFill} f WHERE account_id = %(account)s",
        {"account": books.account},
    )
    return {
        "balance": cash.pop(books.base_currency, ZERO),
        "balances": {currency: plain(amount) for currency, amount in cash.items() if amount},
        "total_invested": invested,
        "total_profit_loss": realized,
        "trade_count": trades,
    }
