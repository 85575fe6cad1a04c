"""Do the books agree with themselves, and is everything booked? Registered with `manage.py health`."""

from __future__ import annotations

import re
from typing import Final

from friren.operations.health import Finding
from portfolio_manager.booking.database import query
from portfolio_manager.booking.state import has_pending_sql
from portfolio_manager.booking.whole import query_whole

__all__ = ["check_books"]

# As many as fit a screen; `rebuild_positions --check` names them all.
SHOWN_MAX: Final = 20

# What is open, or moved within a day: older rows do not change, and `rebuild_positions --check` compares them too.
_POSITIONS: Final = """
    SELECT p.id FROM {Position} p
    LEFT JOIN LATERAL (
        SELECT f.quantity_after, f.total_cost_after, f.realized_pnl_after FROM {PositionFill} f
        WHERE f.position_id = p.id
        ORDER BY f.executed_at DESC, coalesce(f.trade_id, f.corporate_action_id, f.resolution_id) DESC LIMIT 1
    ) last ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(f.realized_pnl), 0) AS realized, coalesce(sum(f.commission), 0) AS commission,
               coalesce(sum(CASE WHEN f.role IN ('OPEN', 'INCREASE') THEN f.cost ELSE -f.cost END), 0) AS cost
        FROM {PositionFill} f WHERE f.position_id = p.id
    ) summed
    WHERE (p.status = 'open' OR p.updated_at > now() - interval '1 day')
      AND (p.quantity, p.total_cost, p.realized_pnl, p.realized_pnl, p.commission, p.total_cost) IS DISTINCT FROM
          (last.quantity_after, last.total_cost_after, last.realized_pnl_after, summed.realized, summed.commission,
           summed.cost)
    ORDER BY p.id
"""
_CASH: Final = """
    SELECT a.name FROM {Account} a LEFT JOIN {AccountState} s ON s.account_id = a.id
    JOIN (
        SELECT l.account_id, jsonb_object_agg(l.currency, l.amount) FILTER (WHERE l.amount <> 0) AS sums
        FROM (SELECT account_id, currency, sum(amount) AS amount FROM {LedgerEntry} e GROUP BY 1, 2) l GROUP BY 1
    ) booked ON booked.account_id = a.id
    WHERE s.account_id IS NULL
       OR s.balance <> coalesce((booked.sums ->> a.base_currency)::numeric, 0)
       OR (SELECT jsonb_object_agg(key, value::numeric) FROM jsonb_each_text(s.balances))
          IS DISTINCT FROM (SELECT jsonb_object_agg(key, value::numeric)
                            FROM jsonb_each_text(booked.sums - a.base_currency::text))
    ORDER BY a.name
"""


def check_books() -> Finding:
    """Compare positions with their legs and cash with the ledger, and look for facts unbooked for a minute."""
    wrong = {
        "positions": [str(row[0]) for row in query("default", _POSITIONS, ())],
        "cash": [row[0] for row in query_whole("default", _CASH, ())],
        "unbooked": [row[0] for row in query("default", _unbooked_sql(), ())],
    }
    details = {name: found[:SHOWN_MAX] for name, found in wrong.items()}
    if not any(wrong.values()):
        return Finding(ok=True, message="positions, cash and ledger agree; everything is booked", details=details)
    said = []
    if wrong["positions"] or wrong["cash"]:
        said.append(
            f"{len(wrong['positions'])} positions and the cash of {len(wrong['cash'])} accounts differ: "
            "run `manage.py rebuild_positions`"
        )
    if wrong["unbooked"]:
        said.append(
            f"{len(wrong['unbooked'])} accounts hold facts that were not booked for a minute: "
            "a PortfolioTracker, or `manage.py rebuild_positions`, books them"
        )
    return Finding(ok=False, message="; ".join(said), details=details)


def _unbooked_sql() -> str:
    """Return the query for accounts that hold facts which have waited to be booked for a minute."""
    pending = re.sub(
        r"(\w)\.recorded_seq > %\(booked\)s",
        r"\1.recorded_seq > coalesce(s.booked_seq, 0) AND \1.created_at < now() - interval '1 minute'",
        has_pending_sql().replace("%(account)s", "a.id"),
    )
    return (
        "SELECT a.name FROM {Account} a LEFT JOIN {AccountState} s ON s.account_id = a.id "
        f"WHERE {pending} ORDER BY a.name"
    )
