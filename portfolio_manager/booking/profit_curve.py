"""
How high the profit of a book ever stood, without reading all of its fills.

A `ProfitPeak` keeps the curve up to a moment, with the number up to which every fact was booked then and above which no
fact lay before that moment. As long as the second still holds, no fill before the moment can have changed: whatever
changes one is a fact with a higher number (a late fill, a bust, an action, a resolution) that lies before it. So nobody
who books has to know of it, and only the fills since are read. Where it holds no longer it is made anew.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Final
from uuid import UUID

from friren.core.numbers import ZERO
from friren.persistence.handlers import one_commit
from portfolio_manager.booking.whole import query_whole

__all__ = ["STEPS", "advance_curve", "read_curve", "realized_since"]

# How many fills a step takes past: many while there are many, for which a step takes some 50 ms; and as many as the
# last ones are what an evaluation reads, in a few milliseconds.
STEPS: Final = (5000, 500)
# What arrives within a day of its execution is not late.
SETTLED_AFTER: Final = dt.timedelta(days=1)

# No fact of %(account)s above {seq} lies before {moment}. Two bounds, so that the planner expects few; and the moment
# is told in a way that no index on it could serve, which would lead through all fills before it.
_UNTOUCHED: Final = " AND ".join(
    "NOT EXISTS (SELECT FROM {source} WHERE o.account_id = %(account)s AND o.recorded_seq > {{seq}} "
    "AND o.recorded_seq < 9223372036854775807 AND {moment} - {{moment}} < interval '0'{rest})".format(**told)
    for told in (
        {"source": "{{Trade}} o", "moment": "o.executed_at", "rest": ""},
        {
            "source": "{{TradeStatusEvent}} o JOIN {{Trade}} t ON t.id = o.trade_id",
            "moment": "t.executed_at",
            "rest": " AND o.to_status = 'busted'",
        },
        {"source": "{{CorporateAction}} o", "moment": "o.effective_at", "rest": ""},
        {"source": "{{MarketResolution}} o", "moment": "o.resolved_at", "rest": ""},
    )
)
# What each fact from {since} on, and before {until}, earned in the base currency. OFFSET 0: fills are looked up by
# their fact, for a planner that does not know how few those are would rather read every fill there is.
_EARNED: Final = """
    SELECT t.executed_at AS moment, t.id AS fact, f.leg, f.realized_pnl - f.commission AS profit
    FROM (SELECT * FROM {{Trade}} t WHERE t.account_id = %(account)s AND t.executed_at >= {since}
          AND t.executed_at < {until} ORDER BY t.executed_at, t.id OFFSET 0) t
    JOIN {{Account}} a ON a.id = t.account_id LEFT JOIN {{Symbol}} y ON y.id = t.symbol_id
    CROSS JOIN LATERAL (SELECT * FROM {{PositionFill}} f WHERE f.trade_id = t.id OFFSET 0) f
    WHERE coalesce(y.currency, a.base_currency) = a.base_currency
    UNION ALL
    SELECT o.effective_at, o.id, f.leg, f.realized_pnl - f.commission
    FROM {{CorporateAction}} o JOIN {{Account}} a ON a.id = o.account_id JOIN {{Symbol}} y ON y.id = o.symbol_id
    CROSS JOIN LATERAL (SELECT * FROM {{PositionFill}} f WHERE f.corporate_action_id = o.id OFFSET 0) f
    WHERE o.account_id = %(account)s AND o.effective_at >= {since} AND o.effective_at < {until}
      AND y.currency = a.base_currency
    UNION ALL
    SELECT o.resolved_at, o.id, f.leg, f.realized_pnl - f.commission
    FROM {{MarketResolution}} o
    CROSS JOIN LATERAL (SELECT * FROM {{PositionFill}} f WHERE f.resolution_id = o.id OFFSET 0) f
    WHERE o.account_id = %(account)s AND o.resolved_at >= {since} AND o.resolved_at < {until}
"""
_STOOD: Final = """
    stood AS (
        SELECT s.booked_seq, coalesce(k.until, '-infinity') AS until, coalesce(k.profit, 0) AS profit,
               coalesce(k.highest, 0) AS highest
        FROM {{Account}} a LEFT JOIN {{AccountState}} s ON s.account_id = a.id
        LEFT JOIN {{ProfitPeak}} k ON k.account_id = a.id AND {untouched}
        WHERE a.id = %(account)s
    )
""".format(untouched=_UNTOUCHED.format(seq="k.booked_seq", moment="k.until"))
_CURVE: Final = """
    curve AS (
        SELECT sum(profit) AS gained, max(running) AS rise
        FROM (SELECT profit, sum(profit) OVER (ORDER BY moment, fact, leg) AS running FROM ({earned}) earned) curve
    )
"""
_READ: Final = (
    f"WITH {_STOOD}, "
    + _CURVE.format(earned=_EARNED.format(since="(SELECT until FROM stood)", until="'infinity'"))
    + """
    SELECT stood.profit + coalesce(curve.gained, 0), greatest(stood.highest, stood.profit + curve.rise, (
        SELECT max(n.realized_pnl + n.total_unrealized_pnl - n.total_commission) FROM {PortfolioSnapshot} n
        WHERE n.account_id = %(account)s AND n.source = ''
    )) FROM stood, curve
"""
)
_ADVANCE: Final = (
    f"WITH {_STOOD}, "
    """
    onward AS (
        SELECT coalesce(nullif(step.moment, stood.until), (
            SELECT min(t.executed_at) FROM {Trade} t WHERE t.account_id = %(account)s AND t.executed_at > stood.until
        )) AS until
        FROM stood CROSS JOIN LATERAL (
            SELECT t.executed_at AS moment FROM {Trade} t
            WHERE t.account_id = %(account)s AND t.executed_at >= stood.until
            ORDER BY t.executed_at, t.id OFFSET %(step)s LIMIT 1
        ) step
    ), """
    + _CURVE.format(earned=_EARNED.format(since="(SELECT until FROM stood)", until="(SELECT until FROM onward)"))
    + """
    INSERT INTO {ProfitPeak} (account_id, until, booked_seq, profit, highest, updated_at)
    SELECT %(account)s, onward.until, stood.booked_seq, stood.profit + coalesce(curve.gained, 0),
           greatest(stood.highest, stood.profit + curve.rise), statement_timestamp()
    FROM stood, onward, curve
    WHERE stood.booked_seq IS NOT NULL AND onward.until <= (
        SELECT max(t.executed_at) FROM {Trade} t WHERE t.account_id = %(account)s
    ) - %(settled)s::interval AND """
    + _UNTOUCHED.format(seq="stood.booked_seq", moment="onward.until")
    + """
    ON CONFLICT (account_id) DO UPDATE SET until = EXCLUDED.until, booked_seq = EXCLUDED.booked_seq,
        profit = EXCLUDED.profit, highest = EXCLUDED.highest, updated_at = EXCLUDED.updated_at
    RETURNING 1
"""
)
_SINCE: Final = (
    "SELECT coalesce(sum(profit), 0) FROM ("
    + _EARNED.format(since="%(since)s::timestamptz", until="'infinity'")
    + ") earned"
)


def advance_curve(account: UUID, *, using: str) -> int:
    """
    Take the kept curve up to recent fills, and return how many steps that were.

    Each step is committed by itself: what is begun within one deadline is gone on with within the next.
    """
    return sum(_advance(account, step, using) for step in STEPS)


def _advance(account: UUID, step: int, using: str) -> int:
    steps = 0
    told = {"account": account, "step": step, "settled": SETTLED_AFTER}
    while True:
        # One statement, so that it sees the books, and up to where they are booked, at one moment.
        with one_commit(using):
            advanced = query_whole(using, _ADVANCE, told)
        if not advanced:
            return steps
        steps += 1


def read_curve(account: UUID, *, using: str) -> tuple[Decimal, Decimal]:
    """
    Return what was earned so far, and the height of profit: after any fill, at any snapshot, and 0 at the start.

    Realised profit less commission, in the base currency; that of snapshots with what was unrealised. Everything of
    the account is booked.
    """
    rows = query_whole(using, _READ, {"account": account})
    profit, highest = rows[0] if rows else (ZERO, ZERO)
    return Decimal(profit), max(ZERO, Decimal(highest))


def realized_since(account: UUID, since: dt.datetime, *, using: str) -> Decimal:
    """Return what was realised, less commission, by facts of `since` or later."""
    ((realized,),) = query_whole(using, _SINCE, {"account": account, "since": since})
    return Decimal(realized)
