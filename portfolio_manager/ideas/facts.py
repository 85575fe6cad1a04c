"""Ideas and what was seen with them as facts, made and checked before any database is asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, TypedDict, TypeVar
from uuid import UUID

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.core.numbers import plain
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import Fact, make_fact, spec_of
from portfolio_manager.models import AccountSnapshot, DecisionHistory, TradeIdea
from portfolio_manager.models.choices import DecisionAction, IdeaStatus
from trading_engine.models import CalendarSnapshot, CandleSnapshot, IndicatorSnapshot, NewsSnapshot
from trading_engine.models.snapshots import Snapshot
from trading_engine.snapshot_series import snapshot_fact

__all__ = ["IDEA_PARAMETERS", "Seen", "account_fact", "idea_fact", "proposal_fact", "ref_of", "seen_facts", "told_as"]

Result = TypeVar("Result")
# What callers call these columns.
IDEA_PARAMETERS: Final = {
    "id": "idea_id", "proposed_at": "timestamp", "occurred_at": "timestamp", "trade_idea": "idea",
    "actor": "reviewer", "rationale": "reason",
}  # fmt: skip


class Seen(TypedDict, total=False):
    """
    What the system saw: rows as the keywords of `SnapshotLogger`'s methods, without captured_at and snapshot_ref.

    `account` is how the account stood (balance, equity, …); worked out from the books when it is not told.
    """

    candles: Iterable[Mapping[str, Any]]
    indicators: Iterable[Mapping[str, Any]]
    calendar: Iterable[Mapping[str, Any]]
    news: Iterable[Mapping[str, Any]]
    account: Mapping[str, Any]


_KINDS: Final[Mapping[str, type[Snapshot]]] = {
    "candles": CandleSnapshot,
    "indicators": IndicatorSnapshot,
    "calendar": CalendarSnapshot,
    "news": NewsSnapshot,
}
# Told with the proposal, once for all rows.
_COMMON: Final = frozenset({"snapshot_ref", "captured_at", "account"})


def ref_of(idea: UUID) -> UUID:
    """Return the `snapshot_ref` of an idea that names none itself."""
    return natural_id("snapshot_ref", idea)


def idea_fact(account: AccountHandle, *, key: UUID, entry_range: Any, **values: Any) -> Fact:
    """Return the fact of an idea. Parameters and errors as for `TradeIdeaService.propose`."""
    return make_fact(TradeIdea, id=key, account=account.id, entry_range=_range(entry_range), **values)


def proposal_fact(idea: Fact) -> Fact:
    """Return the decision that an idea begins with."""
    told = idea.values
    return make_fact(
        DecisionHistory, id=natural_id("decision_history", idea.id, "proposed"), account=told["account"],
        occurred_at=told["proposed_at"], symbol=told["symbol"], action=DecisionAction.AI_PROPOSED,
        to_status=IdeaStatus.WAITING, rationale=told.get("rationale"), confidence_score=told["confidence_score"],
        strategy=told.get("strategy"), trade_idea=idea.id, snapshot_ref=told.get("snapshot_ref"),
    )  # fmt: skip


def seen_facts(account: AccountHandle, seen: Any, *, snapshot_ref: UUID, captured_at: dt.datetime) -> list[Fact]:
    """
    Return the facts of what was seen, of the account only where that is told.

    Raises:
        RejectedRecordError: a row is wrong; its place is in the name of the field, "candles[0].close".
    """
    told = checks.check_record("seen", {} if seen is None else seen, known=frozenset(Seen.__annotations__), of="seen")
    found: list[Fact] = []
    for name, model in _KINDS.items():
        rows = told.get(name) or ()
        if isinstance(rows, str | Mapping) or not isinstance(rows, Iterable):
            raise RejectedRecordError(f"seen.{name}", rows, "a list of rows is wanted")
        found += [
            _row(f"seen.{name}[{number}]", model, row, snapshot_ref=snapshot_ref, captured_at=captured_at)
            for number, row in enumerate(rows)
        ]
    if told.get("account") is not None:
        found.append(account_fact(account, told["account"], snapshot_ref=snapshot_ref, captured_at=captured_at))
    return found


def account_fact(
    account: AccountHandle, told: Mapping[str, Any], *, snapshot_ref: UUID | None, captured_at: dt.datetime
) -> Fact:
    """Return the fact of how an account stood. Errors as for `seen_facts`."""
    return _row(
        "seen.account", AccountSnapshot, told, snapshot_ref=snapshot_ref, captured_at=captured_at, account=account.id
    )


def _row(where: str, model: type[Snapshot], row: Any, **common: Any) -> Fact:
    told = checks.check_record(where, row, known=frozenset(spec_of(model).fields) - _COMMON, of=where)
    try:
        return snapshot_fact(model, **told, **common)
    except RejectedRecordError as exc:
        raise exc.named({exc.field: f"{where}.{exc.field}"}) from exc


def _range(given: Any) -> dict[str, str] | None:
    """Return an entry range as it is stored, given as (low, high)."""
    if given is None:
        return None
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise RejectedRecordError("entry_range", given, "(low, high) is wanted")
    check = spec_of(TradeIdea).fields["entry_price"].check
    low, high = (_price(check, place, price) for place, price in enumerate(given))
    if low > high:
        raise RejectedRecordError("entry_range", given, "low must not be above high")
    return {"low": plain(low), "high": plain(high)}


def _price(check: checks.Check, place: int, price: Any) -> Decimal:
    if price is None:
        raise RejectedRecordError(f"entry_range[{place}]", price, "is required")
    found: Decimal = check(f"entry_range[{place}]", price)
    return found


def told_as(call: Callable[[], Result], parameters: dict[str, str]) -> Result:
    """Return what `call` does; a refusal names the parameter that the caller knows."""
    try:
        return call()
    except RejectedRecordError as exc:
        raise exc.named(parameters) from exc
