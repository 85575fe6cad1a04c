"""What single records of Polymarket tell: Gamma's events and markets, and the markets of its order book (CLOB)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from friren.errors import RejectedRecordError
from trading_engine.data.importers.json_stream import parse_json
from trading_engine.data.importers.records import Fields, Told

__all__ = ["EventOfMarket", "tell_clob_market", "tell_event", "tell_market"]

EVENT: Final = "prediction_event"
MARKET: Final = "prediction_market"
SNAPSHOT: Final = "prediction_market_snapshot"

_TWO: Final = "two outcomes, and a value for each"
# Prices of a market that is over and paid out: what its YES token was worth says how it ended.
_OUTCOMES: Final = {Decimal(1): "YES", Decimal(0): "NO"}
_HALF: Final = Decimal("0.5")


class EventOfMarket(NamedTuple):
    """The event that a market stands in."""

    id: str
    title: str
    ends_at: dt.datetime | None


def tell_event(fields: Fields) -> list[Told]:
    """Return the event that a record of Gamma tells of, but for its markets."""
    told_at, ends_at = fields.moment_or_none("updatedAt"), fields.moment_or_none("endDate")
    told = {
        "event_id": fields.text("id", required=True),
        "title": fields.text("title", required=True),
        "slug": fields.text("slug"),
        "liquidity": fields.number_or_none("liquidity"),
        "volume": fields.number_or_none("volume"),
        "volume24hr": fields.number_or_none("volume24hr"),
        "starts_at": fields.moment_or_none("startDate"),
        "ends_at": ends_at,
        "days_until_end": (ends_at - told_at).days if ends_at and told_at else None,
        "event_data": _as_told(fields.values, without="markets"),
        "told_at": told_at,
    }
    return [Told(EVENT, told)]


def tell_market(fields: Fields, event: EventOfMarket | None) -> list[Told]:
    """Return the market that a record of Gamma tells of, and how it stood at its last change."""
    told_at = fields.moment_or_none("updatedAt")
    outcomes = _names(fields, "outcomes") or ["Yes", "No"]
    prices, tokens = _prices(fields, outcomes), _pair(_names(fields, "clobTokenIds"), outcomes, "clobTokenIds")
    figures = {
        "yes_price": prices[0],
        "no_price": prices[1],
        "liquidity": fields.number_or_none("liquidity"),
        "volume": fields.number_or_none("volume"),
        "volume24hr": fields.number_or_none("volume24hr"),
    }
    key = fields.text("id", required=True)
    outcome = _outcome(fields, prices)
    told = {
        "market_id": key,
        "question": fields.text("question", required=True),
        "event": event.id if event else None,
        "event_title": event.title if event else None,
        "event_ends_at": event.ends_at if event else None,
        "condition_id": fields.text("conditionId"),
        "yes_token_id": tokens[0],
        "no_token_id": tokens[1],
        "resolved_outcome": outcome,
        "resolved_at": fields.moment_or_none("closedTime", "umaEndDate", "updatedAt") if outcome else None,
        "market_data": _as_told(fields.values, without="events"),
        "told_at": told_at,
        **figures,
    }
    if told_at is None:
        return [Told(MARKET, told)]
    return [Told(MARKET, told), Told(SNAPSHOT, {"market": key, "timestamp": told_at, **figures})]


def tell_clob_market(fields: Fields) -> list[Told]:
    """Return what the order book tells of a market that is known by its condition: tokens, tick, fees, minimum size."""
    tokens = fields.values.get("t")
    if not isinstance(tokens, list) or not all(isinstance(one, Mapping) for one in tokens):
        raise RejectedRecordError("t", tokens, "a list of tokens is wanted")
    listed = [Fields(one, fields.line, fields.path) for one in tokens]
    outcomes = [one.text("o", required=True) for one in listed]
    pair = _pair([one.text("t", required=True) for one in listed], outcomes, "t")
    told = {
        "condition_id": fields.text("c", required=True),
        "yes_token_id": pair[0],
        "no_token_id": pair[1],
        "market_data": {"clob": _as_told(fields.values)},
    }
    return [Told(MARKET, told)]


def _names(fields: Fields, name: str) -> list[str]:
    """Return a list of texts, which Gamma writes as JSON within a string."""
    value = fields.values.get(name)
    if value is None or value == "":
        return []
    try:
        found = parse_json(value) if isinstance(value, str) else value
    except ValueError as exc:
        raise RejectedRecordError(name, value, "a list in JSON is wanted") from exc
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise RejectedRecordError(name, value, "a list of texts is wanted")
    return found


def _pair(values: Sequence[Any], outcomes: Sequence[str], name: str) -> tuple[Any, Any]:
    """Return the values of YES and NO, of other outcomes of the first and the second; None where there are none."""
    if len(outcomes) != 2:
        raise RejectedRecordError("outcomes", list(outcomes), _TWO)
    if not values:
        return None, None
    if len(values) != 2:
        raise RejectedRecordError(name, list(values), _TWO)
    first, second = values
    turned = [one.casefold() for one in outcomes] == ["no", "yes"]
    return (second, first) if turned else (first, second)


def _prices(fields: Fields, outcomes: Sequence[str]) -> tuple[Any, Any]:
    texts = _names(fields, "outcomePrices")
    named = {f"outcomePrices[{place}]": text for place, text in enumerate(texts)}
    numbers = Fields(named, fields.line, fields.path, floats=True)
    found = _pair([numbers.number(name) for name in named], outcomes, "outcomePrices")
    fields.notes.extend(numbers.notes)
    return found


def _outcome(fields: Fields, prices: tuple[Any, Any]) -> str | None:
    """Return how a market was decided; None while it is open, or its end is still in dispute."""
    status = fields.text("umaResolutionStatus").casefold()
    yes, no = prices
    if fields.values.get("closed") is not True or status not in {"", "resolved"} or yes is None or yes + no != 1:
        return None
    if yes == _HALF and status:
        return "INVALID"
    return _OUTCOMES.get(yes)


def _as_told(values: Mapping[str, Any], *, without: str = "") -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items() if name != without}


def _plain(value: Any) -> Any:
    """Return a value as JSON keeps it: numbers stay numbers where a float prints as they are written."""
    if isinstance(value, Decimal):
        if value.is_finite() and Decimal(repr(float(value))) == value:
            return float(value)
        return value
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
