"""What the book holds at a moment, as a venue would say it: signed quantities and cash by currency."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from friren.core.numbers import CONTEXT, ZERO, plain
from portfolio_manager.booking.whole import query_whole
from portfolio_manager.models.choices import BreakKind
from portfolio_manager.reconciliation.statements import Instrument

__all__ = ["Balance", "cash_of", "compared", "positions_of"]

# The newest leg of each position tells what is held of it after the last fact by then.
_POSITIONS: Final = """
    SELECT coalesce(y.ticker, p.market_id), CASE WHEN p.market_id IS NULL THEN coalesce(y.venue, '') ELSE p.side END,
           sum(CASE WHEN p.side = 'SHORT' THEN -last.quantity_after ELSE last.quantity_after END)
    FROM {Position} p LEFT JOIN {Symbol} y ON y.id = p.symbol_id
    CROSS JOIN LATERAL (
        SELECT f.quantity_after FROM {PositionFill} f
        WHERE f.position_id = p.id AND f.executed_at <= coalesce(%(at)s, 'infinity'::timestamptz)
        ORDER BY f.executed_at DESC, coalesce(f.trade_id, f.corporate_action_id, f.resolution_id) DESC LIMIT 1
    ) last
    WHERE p.account_id = %(account)s
      AND (p.status = 'open' OR p.closed_at > coalesce(%(at)s, 'infinity'::timestamptz))
    GROUP BY 1, 2
"""
_CASH: Final = """
    SELECT currency, sum(amount) FROM {LedgerEntry} l
    WHERE account_id = %(account)s AND occurred_at <= coalesce(%(at)s, 'infinity'::timestamptz) GROUP BY 1
"""


class Balance(NamedTuple):
    """A position or a sum of cash in which the two sides differ, or agree (`kind` None)."""

    about: str
    name: str
    venue: str
    kind: str | None
    ours: str
    theirs: str


def positions_of(account: UUID, at: dt.datetime | None, *, using: str = "default") -> dict[Instrument, Decimal]:
    """Return what is held at a moment (None: now) over all strategies, shorts negative; what nets to 0 is left out."""
    rows = query_whole(using, _POSITIONS, {"account": account, "at": at})
    return {(name, venue): CONTEXT.normalize(quantity) for name, venue, quantity in rows if quantity}


def cash_of(account: UUID, at: dt.datetime | None, *, using: str = "default") -> dict[str, Decimal]:
    """Return the balance of each currency at a moment (None: now)."""
    return dict(query_whole(using, _CASH, {"account": account, "at": at}))


def compared(about: str, ours: Mapping[Instrument, Decimal], theirs: Mapping[Instrument, Decimal]) -> Iterator[Balance]:
    """
    Yield what each side holds that the other holds otherwise, and what both hold alike; sums are exact.

    Args:
        about: position or cash; a statement that leaves a currency out says that there is none of it.
        theirs: a symbol without a venue is that of the book, if the book has only one of its name.
    """
    named = dict(_placed(ours, theirs))
    for instrument in sorted({*ours, *named}):
        own, other = ours.get(instrument, ZERO), named.get(instrument, ZERO)
        kind: str | None = None
        if own != other:
            kind = BreakKind.DIFFERING
            if about == "position" and not (own and other):
                kind = BreakKind.EXTRA if own else BreakKind.MISSING
        yield Balance(about, *instrument, kind, plain(own) if own else "", plain(other) if other else "")


def _placed(
    ours: Mapping[Instrument, Decimal], theirs: Mapping[Instrument, Decimal]
) -> Iterator[tuple[Instrument, Decimal]]:
    for (name, venue), quantity in theirs.items():
        booked = [one for one in ours if one[0] == name]
        yield (booked[0] if not venue and len(booked) == 1 else (name, venue)), quantity
