"""What a record of Prescient's tree tells of, in the words of Friren's loggers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from friren.core.numbers import CONTEXT, quantize
from friren.errors import RejectedRecordError
from trading_engine.data.importers.records import Told
from trading_engine.data.prescient.tables import Table

__all__ = ["CLOSED", "EXIT", "VENUE", "current_rows", "shares_of", "told_of"]

# Of the fills that Prescient's trades become: the venue, and what follows the id of a trade in that of its end.
VENUE: Final = "prescient"
EXIT: Final = ":exit"
CLOSED: Final = "closed"
_SIZE: Final = ("liquidity", "volume", "volume24hr")
_ENDS: Final = {"buy_yes": "sell_yes", "buy_no": "sell_no"}

Record = Mapping[str, Any]


def told_of(
    table: Table, record: Record, *, batch: dt.datetime | None = None, at: dt.datetime | None = None
) -> list[Told]:
    """
    Return the facts that a record tells of.

    A trade is the fill that opened a position, and the position's end another fill. The document of the portfolio is a
    reading of the books, as is a day of its history.

    Args:
        batch: of a signal: when the signals that stand together were given; its own time unless given.
        at: of an event or a market, aware: when its file was written. Of two tellings the later holds.

    Raises:
        RejectedRecordError: a column says what no fact can be made of.
    """
    if table.name == "signals":
        return _signal(record, batch or record["timestamp"])
    if table.stage == "markets":
        return _market(record, at) if table.name == "markets" else _event(record, at, filtered=table.name == "events")
    return _TELL[table.name](record)


def current_rows(table: Table, keys: Sequence[Any], at: dt.datetime) -> Told:
    """
    Return what tells which rows of a table that is overwritten are the current ones.

    Args:
        keys: of the records; of signals the moment that they were given together, if there are any.
        at: when they became it, aware.
    """
    return Told("current_rows", {"table": table.name, "keys": [str(key) for key in keys], "at": at})


def shares_of(record: Record) -> Decimal:
    """
    Return how many shares a stake bought: amount ÷ price, rounded once.

    Raises:
        RejectedRecordError: the price is no price of a share.
    """
    price = record["entry_price"]
    if not 0 < price <= 1:
        raise RejectedRecordError("entry_price", price, "the price of a share is more than 0, and at most 1")
    return quantize(CONTEXT.divide(record["amount"], price))


def _trade(record: Record) -> list[Told]:
    told = {
        **_instrument(record),
        "action": _action(record),
        "quantity": shares_of(record),
        "price": record["entry_price"],
        "amount": record["amount"],
        "timestamp": record["timestamp"],
        "external_id": record["trade_id"],
        "round_trip": record["trade_id"],
        "confidence_score": record["confidence"],
        "reasoning": record["reason"],
        "event": record["event_id"],
        "event_title": record["event_title"],
        "event_ends_at": record["event_end_date"],
    }
    return [Told("trade", told)]


def _position(record: Record) -> list[Told]:
    """Return the end of a position that has one; that it began is told by its trade."""
    if record["status"].casefold() != CLOSED:
        return []
    for name in ("exit_price", "exit_timestamp"):
        if record[name] is None:
            raise RejectedRecordError(name, None, "is required of a closed position: its end cannot be booked without")
    told = {
        **_instrument(record),
        "action": _ENDS[_action(record)],
        "quantity": shares_of(record),
        "price": record["exit_price"],
        "timestamp": record["exit_timestamp"],
        "external_id": record["trade_id"] + EXIT,
        "round_trip": record["trade_id"],
        "source_pnl": record["realized_pnl"],
    }
    return [Told("trade", told)]


def _instrument(record: Record) -> dict[str, Any]:
    return {"market": record["market_id"], "market_question": record["market_question"], "venue": VENUE}


def _action(record: Record) -> str:
    action = str(record["action"]).casefold()
    if action not in _ENDS:
        raise RejectedRecordError("action", record["action"], f"must be one of {', '.join(_ENDS)}")
    return action


def _signal(record: Record, batch: dt.datetime) -> list[Told]:
    told = {
        "market": record["market_id"],
        "market_question": record["market_question"],
        "signal_type": _action(record),
        "timestamp": record["timestamp"],
        "target_price": record["target_price"],
        "amount": record["amount"],
        "confidence_score": record["confidence"],
        "reasoning": record["reason"],
        "yes_price": record["yes_price"],
        "no_price": record["no_price"],
        "market_liquidity": record["market_liquidity"],
        "market_volume": record["market_volume"],
        "event": record["event_id"],
        "event_title": record["event_title"],
        "event_ends_at": record["event_end_date"],
        "venue": VENUE,
        "batch": batch,
    }
    found = [Told("signal", told)]
    if record["executed"]:
        if record["executed_at"] is None:
            raise RejectedRecordError("executed_at", None, "is required of a signal that was executed")
        key = {name: told[name] for name in ("market", "signal_type", "timestamp", "venue")}
        moved = {**key, "at": record["executed_at"], "external_id": record["trade_id"]}
        found.append(Told("signal_move", moved))
    return found


def _event(record: Record, at: dt.datetime | None, *, filtered: bool) -> list[Told]:
    names = ("event_id", "title", "slug", *_SIZE, "days_until_end", "event_data")
    told = {
        **{name: record[name] for name in names},
        "starts_at": record["start_date"],
        "ends_at": record["end_date"],
        "is_filtered": filtered,
        "told_at": at,
    }
    return [Told("prediction_event", told)]


def _market(record: Record, at: dt.datetime | None) -> list[Told]:
    figures = {name: record[name] for name in (*_SIZE, "yes_price", "no_price", "market_conviction")}
    told = {
        **figures,
        **{name: record[name] for name in ("market_id", "question", "event_title", "market_data")},
        "event": record["event_id"],
        "event_ends_at": record["event_end_date"],
        "is_filtered": True,
        "told_at": at,
    }
    found = [Told("prediction_market", told)]
    if at is not None and any(value is not None for value in figures.values()):
        found.append(Told("prediction_market_snapshot", {**figures, "market": record["market_id"], "timestamp": at}))
    return found


def _archive(record: Record) -> list[Told]:
    names = ("archived_at", "archive_month", "signals_count", "signals_data")
    return [Told("signal_archive", {name: record[name] for name in names})]


def _portfolio(record: Record) -> list[Told]:
    names = ("balance", "total_invested", "total_profit_loss", "trade_count")
    return [_reading("INTRADAY", record["last_updated"], None, {name: record[name] for name in names})]


def _day(record: Record) -> list[Told]:
    figures = {name: value for name, value in record.items() if name not in {"snapshot_date", "timestamp"}}
    return [_reading("DAILY", record["timestamp"], record["snapshot_date"], figures)]


def _reading(kind: str, at: dt.datetime, day: dt.date | None, figures: dict[str, Any]) -> Told:
    return Told("portfolio_snapshot", {"kind": kind, "at": at, "day": day, "figures": {**figures, "source": VENUE}})


_TELL: Final = {
    "trades": _trade,
    "positions": _position,
    "portfolio": _portfolio,
    "portfolio_history": _day,
    "signal_archives": _archive,
}
