"""What a file tells of as facts of an account: with ids made of the source's own, so that told twice is once."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, NamedTuple

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.errors import RejectedRecordError
from friren.persistence.facts import Fact, make_fact, spec_named
from trading_engine.data.importers.records import Entry, Told
from trading_engine.symbols import symbol_key
from trading_engine.told_records import Maker, maker_of
from trading_engine.trade_facts import TRADE_PARAMETERS, fact_key, fill_fact, order_fact

__all__ = ["Proposed", "proposed_facts"]

# A state that a row comes to, and that is no part of what was told of it first.
_STATUS: Final = "status"


class Proposed(NamedTuple):
    """A fact to be stored, and when the row came to its status, if that is known."""

    fact: Fact
    moved_at: dt.datetime | None = None


def proposed_facts(account: AccountHandle | None, entry: Entry) -> list[Proposed]:
    """
    Return the facts that one record of a file tells of.

    Args:
        account: None for files that are about no books.

    Raises:
        RejectedRecordError: a value breaks a rule; the field is named as the loggers name it.
    """
    try:
        return [_proposed(account, told) for told in entry.told]
    except RejectedRecordError as exc:
        raise exc.named(TRADE_PARAMETERS) from exc


def _proposed(account: AccountHandle | None, told: Told) -> Proposed:
    keywords = dict(told.keywords)
    if account is None:
        return Proposed(maker_of(told.kind)(None, keywords))
    venue = keywords.get("venue") or ""
    if key := keywords.get("round_trip"):
        keywords["round_trip"] = natural_id("round_trip", account.id, venue, key)
    if told.kind == "trade":
        if key := keywords.get("order"):
            keywords["order"] = natural_id("order", account.id, venue, key)
        return Proposed(fill_fact(account, keywords))
    if told.kind == "order":
        status = keywords.pop(_STATUS)
        fact = order_fact(account, **keywords)
        return Proposed(fact.with_values(status=status), told.moved_at)
    return Proposed(_make(told.kind)(account, keywords))


def _make(kind: str) -> Maker:
    own = {"cash_movement": _cash_movement, "corporate_action": _corporate_action}
    return own[kind] if kind in own else maker_of(kind)


def _cash_movement(account: AccountHandle, told: dict[str, Any]) -> Fact:
    key, external_id = fact_key(
        "cash_movement", account, None, field="external_id", venue=told["venue"], external_id=told["external_id"]
    )
    told = {"currency": account.base_currency, **told, "external_id": external_id}
    return make_fact(spec_named("cash_movement").model, id=key, account=account.id, **told)


def _corporate_action(account: AccountHandle, told: dict[str, Any]) -> Fact:
    # The id that PortfolioTracker gives it: told here and there it is one.
    key = natural_id(
        "corporate_action", account.id, *symbol_key("symbol", told["symbol"]), told["kind"], told["effective_at"]
    )
    return make_fact(spec_named("corporate_action").model, id=key, account=account.id, **told)
