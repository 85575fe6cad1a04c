"""How events, markets and market snapshots of prediction venues that a caller describes become records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, TypedDict

import msgspec
from django.db import models

from friren.core.ids import natural_id
from friren.errors import RejectedRecordError
from friren.persistence.facts import Fact, make_fact, spec_of
from trading_engine.models import PredictionEvent, PredictionMarket, PredictionMarketSnapshot

__all__ = [
    "EVENT",
    "MARKET",
    "EventDetails",
    "MarketDetails",
    "SnapshotFigures",
    "event_fact",
    "market_fact",
    "market_snapshot_fact",
    "snapshot_of_market",
]

EVENT: Final = "prediction_event"
MARKET: Final = "prediction_market"


class EventDetails(TypedDict, total=False):
    """What may be told of an event beside its id; what is not told stays as it is."""

    title: str | None  # required where the event is new
    slug: str | None
    liquidity: Decimal | int | None
    volume: Decimal | int | None
    volume24hr: Decimal | int | None
    starts_at: dt.datetime | None
    ends_at: dt.datetime | None
    days_until_end: int | None
    event_data: dict[str, Any] | None  # names that are told replace those there, others stay
    is_filtered: bool | None
    told_at: dt.datetime | None  # when the venue changed it last


class SnapshotFigures(TypedDict, total=False):
    """The figures of a market at a moment; prices are 0 to 1."""

    yes_price: Decimal | int | None
    no_price: Decimal | int | None
    liquidity: Decimal | int | None
    volume: Decimal | int | None
    volume24hr: Decimal | int | None
    market_conviction: Decimal | int | None


class MarketDetails(SnapshotFigures, total=False):
    """What may be told of a market beside its id; what is not told stays as it is."""

    question: str | None  # required where the market is new
    event: Any  # id or row of the event, which need not be stored
    event_title: str | None
    event_ends_at: dt.datetime | None
    condition_id: str | None
    yes_token_id: str | None
    no_token_id: str | None
    resolved_outcome: str | None  # YES, NO or INVALID, once and for all
    resolved_at: dt.datetime | None
    market_data: dict[str, Any] | None  # as event_data
    is_filtered: bool | None
    told_at: dt.datetime | None


_FIGURES: Final = tuple(SnapshotFigures.__annotations__)
_PRICE_RULE: Final = "the price of a token, 0 to 1"


def event_fact(told: Mapping[str, Any]) -> Fact:
    """
    Return the record of an event told as the keywords of `MarketRecorder.record_event`.

    Raises:
        RejectedRecordError: a value breaks a rule.
    """
    values = _checked(PredictionEvent, told)
    return Fact(kind=EVENT, id=natural_id(EVENT, _required(values, "event_id")), values=values)


def market_fact(told: Mapping[str, Any]) -> Fact:
    """
    Return the record of a market told as the keywords of `MarketRecorder.record_market`.

    A market that is stored already may be named by its condition alone.

    Raises:
        RejectedRecordError: a value breaks a rule.
    """
    values = _checked(PredictionMarket, told)
    _check_prices(values)
    name = "market_id" if values.get("market_id") or not values.get("condition_id") else "condition_id"
    return Fact(kind=MARKET, id=natural_id(MARKET, name, _required(values, name)), values=values)


def market_snapshot_fact(*, market: Any, timestamp: dt.datetime, **figures: Any) -> Fact:
    """
    Return the fact of a snapshot; of a market and a moment there is one.

    Raises:
        RejectedRecordError: a value breaks a rule.
    """
    fact = make_fact(PredictionMarketSnapshot, market=market, timestamp=timestamp, **figures)
    _check_prices(fact.values)
    key = natural_id(fact.kind, fact.values["market"], fact.values["timestamp"])
    return msgspec.structs.replace(fact, id=key)


def snapshot_of_market(told: Mapping[str, Any], at: dt.datetime | None = None) -> Fact | None:
    """Return the snapshot that a telling of a market amounts to; None where it tells no figures, or no time."""
    figures = {name: told[name] for name in _FIGURES if told.get(name) is not None}
    moment = told.get("told_at") or at
    if not figures or moment is None:
        return None
    return market_snapshot_fact(market=told["market_id"], timestamp=moment, **figures)


def _checked(model: type[models.Model], told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told, each value in its stored form; unlike a fact's, a value is kept where it is the default."""
    fields, values = spec_of(model).fields, {}
    for name, value in told.items():
        if name not in fields:
            raise TypeError(f"{spec_of(model).kind} has no field {name}")
        if value is None or (type(value) is str and not value and _may_be_empty(model, name)):
            continue
        values[name] = fields[name].check(name, value)
    return values


def _may_be_empty(model: type[models.Model], name: str) -> bool:
    """Return whether an empty text says of a field that there is nothing to say."""
    field = model._meta.get_field(name)
    return isinstance(field, models.CharField | models.TextField) and field.blank


def _required(values: Mapping[str, Any], name: str) -> Any:
    if not values.get(name):
        raise RejectedRecordError(name, values.get(name), "is required")
    return values[name]


def _check_prices(values: Mapping[str, Any]) -> None:
    for name in ("yes_price", "no_price"):
        price = values.get(name)
        if price is not None and not 0 <= price <= 1:
            raise RejectedRecordError(name, price, _PRICE_RULE)
