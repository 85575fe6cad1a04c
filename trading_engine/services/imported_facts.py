"""What a file tells of as facts of an account: with ids made of the source's own, so that told twice is once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.errors import RejectedRecordError
from friren.persistence.facts import Fact, make_fact, spec_named
from trading_engine.data.importers.records import Entry, Told
from trading_engine.prediction_facts import event_fact, market_fact, market_snapshot_fact
from trading_engine.symbols import symbol_key
from trading_engine.trade_facts import TRADE_PARAMETERS, fact_key, fill_fact, order_fact

__all__ = ["Proposed", "proposed_facts"]

# What belongs to no account.
_OF_NO_BOOKS: Final[Mapping[str, Callable[[dict[str, Any]], Fact]]] = {
    "prediction_event": event_fact,
    "prediction_market": market_fact,
    "prediction_market_snapshot": lambda told: market_snapshot_fact(**told),
}
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
    if (make := _OF_NO_BOOKS.get(told.kind)) is not None:
        return Proposed(make(keywords))
    if account is None:
        raise TypeError(f"a {told.kind} is of an account")
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
    if told.kind == "cash_movement":
        return Proposed(_cash_movement(account, keywords))
    return Proposed(_corporate_action(account, keywords))


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
