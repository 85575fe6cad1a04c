"""What a statement and the book disagree in, and in what they agree: fills, movements of cash, positions and cash."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db.models import Q

from friren.core.numbers import plain
from friren.persistence.archived_reads import with_archive
from portfolio_manager.models import CashMovement
from portfolio_manager.models.choices import BreakKind
from portfolio_manager.reconciliation.balances import Balance, cash_of, compared, positions_of
from portfolio_manager.reconciliation.breaks import Found
from portfolio_manager.reconciliation.fills import OUR_COLUMNS, Fill, fill_of_fact, fill_of_row, shown_fill
from portfolio_manager.reconciliation.matching import Matched, differences, match
from portfolio_manager.reconciliation.statements import Statement, StatementFact
from trading_engine.data.importers.csv_trades import VENUE as GENERIC_VENUE
from trading_engine.models import Trade
from trading_engine.models.choices import TradeStatus

__all__ = ["Compared", "compare_balances", "compare_fills", "compare_movements"]

FIELD_COUNT: Final = "count"
POSITIONS: Final = "position"
CASH: Final = "cash"


@dataclass(slots=True)
class Compared:
    """Differences, and the subjects in which both sides agree: breaks about those are over."""

    found: list[Found] = field(default_factory=list)
    agreed: set[str] = field(default_factory=set)
    matched: int = 0
    # What was compared as a whole: subjects that begin so, and that neither side has any more, are agreed in too.
    whole: tuple[str, ...] = ()


def compare_fills(statement: Statement, account: UUID, tolerance: dt.timedelta) -> Compared:
    """Compare fills of the time that the statement covers; one without fills that says no more covers none."""
    theirs = [fill_of_fact(one.fact, place) for place, one in enumerate(statement.fills)]
    since = statement.since or min((one.executed_at for one in theirs), default=None)
    until = statement.until or max((one.executed_at for one in theirs), default=None)
    result = Compared()
    if since is None or until is None:
        return result
    ours = _our_fills(account, theirs, since - tolerance, until + tolerance)
    matched = match(theirs, ours, tolerance=tolerance)
    result.matched = len(matched.pairs)
    matched.extra = [one for one in matched.extra if since <= one.executed_at <= until]
    numbers: Counter[str] = Counter()
    for other, own in matched.pairs:
        result.agreed |= {_subject_of(own), _subject_of_missing(other, numbers), _subject_of_repeated(other)}
    result.found = list(_breaks_of(matched, statement.fills, numbers, tolerance))
    # One that was busted since is over, whatever the statement covers.
    gone = Trade.objects.filter(account=account, status=TradeStatus.BUSTED, breaks__resolved_at__isnull=True)
    result.agreed |= {f"trade:{key}" for key in gone.values_list("id", flat=True)}
    return result


def _our_fills(account: UUID, theirs: Sequence[Fill], since: dt.datetime, until: dt.datetime) -> list[Fill]:
    """Return the book's fills of the statement's time and venues, and those of its ids at whatever time."""
    venues = {one.venue for one in theirs}
    by_time = Q(executed_at__gte=since, executed_at__lte=until) & ~Q(status=TradeStatus.BUSTED)
    if "" not in venues:
        by_time &= Q(venue__in={*venues, "", GENERIC_VENUE})
    ids = Q(external_id__in={one.external_id for one in theirs if one.external_id})
    rows = with_archive(Trade.objects.filter(account=account)).filter(by_time | ids).order_by("executed_at", "id")
    return [fill_of_row(row, place) for place, row in enumerate(rows.values_list(*OUR_COLUMNS).iterator())]


def _breaks_of(
    matched: Matched, facts: Sequence[StatementFact], numbers: Counter[str], tolerance: dt.timedelta
) -> Iterator[Found]:
    for one in matched.missing:
        told = _told(one) | {"line": facts[one.place].entry.line}
        subject = _subject_of_missing(one, numbers)
        yield Found(BreakKind.MISSING, subject, told, one.venue, one.external_id, missing=facts[one.place])
    for one in matched.extra:
        yield _about(BreakKind.EXTRA, one, one)
    for theirs, ours in matched.pairs:
        for values in differences(theirs, ours, tolerance=tolerance):
            yield _about(BreakKind.DIFFERING, theirs, ours, values)
    for one, count in matched.repeated:
        subject = _subject_of_repeated(one)
        yield Found(
            BreakKind.DIFFERING, subject, _told(one), one.venue, one.external_id, None, FIELD_COUNT, "1", str(count)
        )
    for theirs, ours in matched.busted:
        yield _about(BreakKind.DIFFERING, theirs, ours, ("status", TradeStatus.BUSTED.value, TradeStatus.FILLED.value))


def _about(kind: str, told: Fill, ours: Fill, values: tuple[str, str, str] = ("", "", "")) -> Found:
    return Found(
        kind, _subject_of(ours), _told(told), ours.venue or told.venue, ours.external_id or told.external_id,
        ours.trade, *values,
    )  # fmt: skip


def _told(one: Fill) -> dict[str, Any]:
    return {"about": "trade", **shown_fill(one)}


def _subject_of(ours: Fill) -> str:
    return f"trade:{ours.trade}"


def _subject_of_repeated(one: Fill) -> str:
    return f"repeated:{one.venue}:{one.external_id}"


def _subject_of_missing(one: Fill, numbers: Counter[str]) -> str:
    """Return what names a fill of a statement for good; equal ones without ids are told apart by their number."""
    if one.external_id:
        return f"fill:{one.venue}:{one.external_id}"
    moment = one.executed_at.astimezone(dt.UTC).isoformat()
    name = f"fill:{moment}:{one.ticker}:{one.sign}:{plain(one.quantity)}:{plain(one.price)}"
    numbers[name] += 1
    return f"{name}:{numbers[name]}"


def compare_movements(statement: Statement, account: UUID) -> Compared:
    """Compare movements of cash by the venue's ids; a book has others, that no venue tells of."""
    found = Compared()
    stored = {
        (venue, external_id): amount
        for venue, external_id, amount in with_archive(CashMovement.objects.all())
        .filter(account=account, external_id__in={one.fact.values["external_id"] for one in statement.movements})
        .values_list("venue", "external_id", "amount")
    }
    for one in statement.movements:
        told = one.fact.values
        venue, external_id, amount = told.get("venue", ""), told["external_id"], told["amount"]
        subject = f"cash_movement:{venue}:{external_id}"
        payload = {"about": "cash_movement", "kind": str(told["kind"]), "amount": plain(amount)}
        own = stored.get((venue, external_id))
        if own is None:
            found.found.append(Found(BreakKind.MISSING, subject, payload, venue, external_id, missing=one))
        elif own != amount:
            told_apart = ("amount", plain(own), plain(amount))
            found.found.append(Found(BreakKind.DIFFERING, subject, payload, venue, external_id, None, *told_apart))
        else:
            found.agreed.add(subject)
    return found


def compare_balances(statement: Statement, account: UUID) -> Compared:
    """Compare positions and cash, as far as the statement tells of them, with the book as it stood then."""
    found = Compared()
    if statement.positions is not None:
        found.whole += (POSITIONS,)
        ours = positions_of(account, statement.as_of)
        for one in compared(POSITIONS, ours, statement.positions):
            _take_balance(found, one, "quantity")
    if statement.cash is not None:
        found.whole += (CASH,)
        held = {(currency, ""): amount for currency, amount in cash_of(account, statement.as_of).items()}
        told = {(currency, ""): amount for currency, amount in statement.cash.items()}
        for one in compared(CASH, held, told):
            _take_balance(found, one, "amount")
    return found


def _take_balance(found: Compared, one: Balance, name: str) -> None:
    subject = f"{one.about}:{one.name}:{one.venue}"
    if one.kind is None:
        found.agreed.add(subject)
        return
    payload = {"about": one.about, "symbol" if one.about == POSITIONS else "currency": one.name}
    named = name if one.kind == BreakKind.DIFFERING else ""
    found.found.append(Found(one.kind, subject, payload, one.venue, "", None, named, one.ours, one.theirs))
