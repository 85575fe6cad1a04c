"""Breaks as they are kept: found once, open until resolved, resolved once."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from friren.core.ids import natural_id
from friren.errors import InvalidTransitionError
from friren.persistence.batches import apply_batch, prepare
from friren.persistence.codec import register_record
from friren.persistence.facts import Fact, make_fact
from friren.persistence.handlers import apply, one_commit, register_handler
from friren.persistence.policies import KindPolicy, register_policy
from friren.persistence.receipts import Receipt
from portfolio_manager.models import ReconciliationBreak
from portfolio_manager.models.choices import BreakResolution
from portfolio_manager.reconciliation.statements import StatementFact
from trading_engine.audited_moves import AuditedMoves
from trading_engine.models import Trade

__all__ = ["BREAK_RESOLUTION", "Found", "keep_breaks", "register", "resolve"]

BREAK_RESOLUTION: Final = "break_resolution"
# As wide as the column.
STATEMENT_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class Found:
    """
    One difference, before it is kept.

    Attributes:
        subject: what it is about, as text: with kind, field and both values it makes the id.
        missing: what the book lacks: recorded when it is adopted.
    """

    kind: str
    subject: str
    payload: Mapping[str, Any]
    venue: str = ""
    external_id: str = ""
    trade: UUID | None = None
    field: str = ""
    ours: str = ""
    theirs: str = ""
    missing: StatementFact | None = None


def register() -> None:
    """Register the kind `break_resolution`: how a break came to its end."""
    told = {"account": UUID, "resolution": str, "trade": UUID, "by": int, "note": str, "at": dt.datetime}
    register_record(BREAK_RESOLUTION, told)
    register_handler(BREAK_RESOLUTION, _moves.one, batch=_moves.many, after=(ReconciliationBreak, Trade))
    register_policy(BREAK_RESOLUTION, KindPolicy(ordered=True))


def keep_breaks(
    found: Sequence[Found], *, account: UUID, run: UUID, statement: str, using: str = "default"
) -> list[ReconciliationBreak]:
    """
    Keep differences, each once, and return their rows in the same order.

    One that is open, or that somebody said to ignore, is found again as the same row. One that was corrected or
    adopted and is there again is a new one.
    """
    ids = _ids(found, account, using)
    # What was archived is named by the payload: a row of a table cannot refer to it.
    there = set(Trade.objects.using(using).filter(id__in={one.trade for one in found}).values_list("id", flat=True))
    facts = [
        make_fact(
            ReconciliationBreak,
            id=key,
            account=account,
            run_id=run,
            kind=one.kind,
            statement=statement[-STATEMENT_LENGTH:],
            venue=one.venue,
            external_id=one.external_id,
            trade=one.trade if one.trade in there else None,
            field=one.field,
            ours=one.ours,
            theirs=one.theirs,
            payload={**one.payload, "subject": one.subject},
            found_at=timezone.now(),
        )
        for one, key in zip(found, ids, strict=True)
    ]
    if facts:
        prepare(facts, using=using)
        with one_commit(using):
            for verdict in apply_batch(facts, using=using):
                if isinstance(verdict, Exception):
                    raise verdict
    rows = ReconciliationBreak.objects.using(using).in_bulk(ids)
    return [rows[key] for key in ids]


def _ids(found: Sequence[Found], account: UUID, using: str) -> list[UUID]:
    """Return the id of each: the first of its kind that did not come to its end yet."""
    ended = (BreakResolution.ADOPTED, BreakResolution.CORRECTED)
    ids: dict[int, UUID] = {}
    numbers: Counter[int] = Counter()
    left = list(range(len(found)))
    while left:
        for place in left:
            one = found[place]
            ids[place] = natural_id(
                "reconciliation_break", account, one.kind, one.subject, one.field, one.ours, one.theirs, numbers[place]
            )
        rows = ReconciliationBreak.objects.using(using).filter(id__in=[ids[place] for place in left])
        over = set(rows.filter(resolution__in=ended).values_list("id", flat=True))
        left = [place for place in left if ids[place] in over]
        numbers.update(left)
    return [ids[place] for place in range(len(found))]


def resolve(
    rows: Iterable[ReconciliationBreak],
    resolution: str,
    *,
    by: int | None = None,
    trades: Mapping[UUID, UUID] | None = None,
    note: str = "",
    using: str = "default",
) -> list[Receipt]:
    """
    Resolve breaks, once and for all; the audit log tells of each.

    Args:
        resolution: one of BreakResolution.
        by: id of the user who says so; None: a reconciliation found it so.
        trades: the trade that was adopted, by the id of its break.
        note: why.

    Returns:
        STORED, or DUPLICATE for one that is resolved so already.

    Raises:
        InvalidTransitionError: one is resolved otherwise; those before it are resolved.
    """
    receipts = []
    for row in rows:
        told = {
            "account": row.account_id,
            "resolution": str(resolution),
            "trade": (trades or {}).get(row.pk),
            "by": by,
            "note": note,
            "at": timezone.now(),
        }
        values = {name: value for name, value in told.items() if value not in {None, ""}}
        receipts.append(apply(Fact(kind=BREAK_RESOLUTION, id=row.pk, values=values), using=using))
    return receipts


def _decide(row: Any, fact: Fact, _seen: None) -> dict[str, Any]:
    """Return what changes; raise InvalidTransitionError when the break is resolved otherwise."""
    told = fact.values
    if row.resolved_at is not None:
        if row.resolution == told["resolution"]:
            return {}
        raise InvalidTransitionError("break", row.pk, f"is resolved as {row.resolution}, for good")
    trade = {"trade_id": told["trade"]} if "trade" in told else {}
    return {
        "resolution": told["resolution"],
        "resolved_at": told["at"],
        "resolved_by_id": told.get("by"),
        "note": told.get("note", ""),
        **trade,
    }


_moves: Final = AuditedMoves(ReconciliationBreak, "break", columns=ReconciliationBreak.lifecycle, decide=_decide)
