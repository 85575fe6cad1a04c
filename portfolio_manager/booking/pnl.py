"""Profit and loss out of the stored books, by the keys of the trade that opened each position."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.core.numbers import CONTEXT
from friren.errors import RejectedRecordError
from portfolio_manager.booking.whole import query_whole

__all__ = ["NEUTRAL_WITHIN", "PNL_KEYS", "Pnl", "PnlByKey", "check_key", "read_pnl", "unknown_pnl"]

# A score this near to 0 says neither; the bound that VADER's authors give for its compound score.
NEUTRAL_WITHIN: Final = Decimal("0.05")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pnl:
    """
    Profit and loss in one currency. Every figure is None when it is not known, which is never the same as 0.

    Attributes:
        realized: of what was closed, before commission.
        unrealized: of what is open, at the last marks; 0 for a period that ended.
        commission: paid on the fills, in the same currency; a rebate is negative.
        unmarked: how many open positions have no mark, so that their profit is not known.
        other_currencies: the same in other currencies; nothing is converted.
        as_of: when it was read from the database, UTC; None: it could not be, and is not known.
        stale: the database could not be asked; this is what was known at `as_of`.
    """

    currency: str
    realized: Decimal | None
    unrealized: Decimal | None
    commission: Decimal | None
    unmarked: int | None = 0
    other_currencies: tuple[Pnl, ...] = ()
    as_of: dt.datetime | None = None
    stale: bool = False

    @property
    def total(self) -> Decimal | None:
        """Realised and unrealised."""
        if self.realized is None or self.unrealized is None:
            return None
        return CONTEXT.add(self.realized, self.unrealized)

    @property
    def net(self) -> Decimal | None:
        """The total less commission."""
        if self.total is None or self.commission is None:
            return None
        return CONTEXT.subtract(self.total, self.commission)


class PnlByKey(dict[str, Pnl]):
    """
    Profit and loss by key of the opening trade.

    Attributes:
        as_of, stale: as of a `Pnl`; empty with `as_of=None` it is not known, never "nothing earned".
    """

    def __init__(self, found: Mapping[str, Pnl], *, as_of: dt.datetime | None, stale: bool = False) -> None:
        super().__init__(found)
        self.as_of, self.stale = as_of, stale


def unknown_pnl(currency: str) -> Pnl:
    """Return what is said of a book that could never be asked about."""
    return Pnl(currency=currency, realized=None, unrealized=None, commission=None, unmarked=None, stale=True)


# Of the opening trade; a market is named by its id.
PNL_KEYS: Final = {
    None: "''",
    "symbol": "coalesce(y.ticker, p.market_id)",
    "strategy": "p.strategy_used",
    "regime": "p.regime_at_entry",
    "model": "t.model_id",
    "sentiment": f"CASE WHEN t.sentiment_score IS NULL THEN '' WHEN t.sentiment_score >= {NEUTRAL_WITHIN} "
    f"THEN 'positive' WHEN t.sentiment_score <= -{NEUTRAL_WITHIN} THEN 'negative' ELSE 'neutral' END",
    "idea": "coalesce(i.idea::text, '')",
}
# An idea is told which trade it led to; of one that was not told it is any trade of its order.
_IDEAS: Final = """
    LEFT JOIN (
        SELECT DISTINCT ON (trade) trade, idea FROM (
            SELECT i.trade_id AS trade, i.id AS idea, 0 AS place FROM {TradeIdea} i
            WHERE i.account_id = %(account)s AND i.trade_id IS NOT NULL
            UNION ALL
            SELECT o.id, i.id, 1 FROM {TradeIdea} i JOIN {Trade} o ON o.order_id = i.order_id
            WHERE i.account_id = %(account)s
        ) told ORDER BY trade, place, idea
    ) i ON i.trade = t.id
"""

_PNL: Final = """
    SELECT key, currency, sum(realized), sum(unrealized), sum(commission), sum(unmarked) FROM (
        SELECT {key} AS key, coalesce(y.currency, a.base_currency) AS currency, sum(f.realized_pnl) AS realized,
               0 AS unrealized, sum(f.commission) AS commission, 0 AS unmarked
        FROM {{PositionFill}} f JOIN {{Position}} p ON p.id = f.position_id JOIN {{Trade}} t ON t.id = p.trade_id
        JOIN {{Account}} a ON a.id = p.account_id LEFT JOIN {{Symbol}} y ON y.id = p.symbol_id
        {join} WHERE p.account_id = %(account)s AND (%(start)s::timestamptz IS NULL OR f.executed_at >= %(start)s)
          AND (%(end)s::timestamptz IS NULL OR f.executed_at < %(end)s)
        GROUP BY 1, 2
        UNION ALL
        SELECT {key}, coalesce(y.currency, a.base_currency), 0, coalesce(sum(p.unrealized_pnl), 0), 0,
               count(*) FILTER (WHERE p.unrealized_pnl IS NULL)
        FROM {{Position}} p JOIN {{Trade}} t ON t.id = p.trade_id
        JOIN {{Account}} a ON a.id = p.account_id LEFT JOIN {{Symbol}} y ON y.id = p.symbol_id
        {join} WHERE p.account_id = %(account)s AND p.status = 'open' AND %(end)s::timestamptz IS NULL
        GROUP BY 1, 2
    ) parts GROUP BY key, currency ORDER BY key, currency
"""


def check_key(by: Any) -> None:
    """Refuse what is no key of `read_pnl`."""
    if not isinstance(by, str | None) or by not in PNL_KEYS:
        raise RejectedRecordError("by", by, f"must be None or one of {', '.join(filter(None, PNL_KEYS))}")


def read_pnl(
    account: UUID, *, start: dt.datetime | None, end: dt.datetime | None, by: str | None, using: str
) -> list[tuple[str, Pnl]]:
    """Return (key, profit and loss) per key and currency, in their order; `by` is one of PNL_KEYS."""
    parameters: dict[str, Any] = {"account": account, "start": start, "end": end}
    join = _IDEAS if by == "idea" else ""
    rows = query_whole(using, _PNL.format(key=PNL_KEYS[by], join=join), parameters)
    return [
        (
            key,
            Pnl(
                currency=currency,
                realized=realized,
                unrealized=unrealized,
                commission=commission,
                unmarked=int(unmarked),
            ),
        )
        for key, currency, realized, unrealized, commission, unmarked in rows
    ]
