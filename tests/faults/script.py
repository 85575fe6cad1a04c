"""What a logging process logs: a pure function of the key of each call, so that it can be told what must be stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg

from tests.faults.history import Row

__all__ = ["ACCOUNT", "PAGE", "ROUND", "VENUE", "content_of", "details_of", "entity_of", "key_of", "rows_of", "step_of"]

ACCOUNT = "laboratory"
VENUE = "LAB"
# Of the site that logs, before the key of a call.
PAGE = "/log/"
BEGIN = dt.datetime(2020, 3, 2, 14, 30, tzinfo=dt.UTC)
# One order's life, its fills, a fill that is booked at once, and telemetry.
ROUND = ("order", "submitted", "trade", "partially_filled", "fill", "signal", "booked", "filled")


def key_of(cycle: int, thread: int, index: int) -> str:
    """The name of a call: which process, which thread of it, and the how manyth of that thread."""
    return f"{cycle}.{thread}.{index}"


def _parts(key: str) -> tuple[int, int, int]:
    cycle, thread, index = map(int, key.split("."))
    return cycle, thread, index


def step_of(key: str) -> str:
    """Which step of a round it is."""
    return ROUND[_parts(key)[2] % len(ROUND)]


def order_of(key: str) -> str:
    """The key of the call that logged the order of the same round."""
    cycle, thread, index = _parts(key)
    return key_of(cycle, thread, index - index % len(ROUND))


def entity_of(key: str) -> str:
    """Return the order that a call is about, "" for facts that stand alone."""
    return order_of(key) if step_of(key) in {"submitted", "partially_filled", "filled"} else ""


def details_of(key: str) -> dict[str, Any]:
    """Return instrument, action, quantity, price and time of a trade or order."""
    cycle, thread, index = _parts(key)
    return {
        "symbol": ("AAPL", "MSFT", "NVDA")[index % 3],
        "action": "buy" if index % 4 else "sell",
        "quantity": Decimal(1 + index % 7),
        "price": Decimal("187.32") + cycle % 50 + thread,
        "timestamp": BEGIN + dt.timedelta(days=cycle, seconds=index),
    }


def content_of(key: str) -> tuple[Any, ...]:
    """Return what must be stored of a call."""
    step, told = step_of(key), details_of(key)
    trade = (told["symbol"], told["action"], told["quantity"], told["price"], told["timestamp"])
    if step == "order":
        return ("order", *trade[:3], trade[4])
    if step == "signal":
        return ("signal", "BUY", told["timestamp"])
    if step in {"trade", "fill", "booked"}:
        return ("trade", order_of(key) if step == "fill" else "", *trade)
    return ("event", order_of(key), step)


# What each kind of row says, in the form of content_of: key, number, content.
_QUESTIONS = (
    """SELECT o.external_id, o.recorded_seq, 'order', s.ticker, o.action, o.quantity, o.requested_at
       FROM trading_engine_order o JOIN trading_engine_symbol s ON s.id = o.symbol_id WHERE o.venue = %(venue)s""",
    """SELECT t.external_id, t.recorded_seq, 'trade', coalesce(o.external_id, ''), s.ticker, t.action, t.quantity,
              t.price, t.executed_at
       FROM trading_engine_trade t JOIN trading_engine_symbol s ON s.id = t.symbol_id
       LEFT JOIN trading_engine_order o ON o.id = t.order_id WHERE t.venue = %(venue)s""",
    """SELECT e.reason, e.recorded_seq, 'event', o.external_id, e.to_status
       FROM trading_engine_orderstatusevent e JOIN trading_engine_order o ON o.id = e.order_id
       WHERE o.venue = %(venue)s""",
    """SELECT g.reasoning, g.recorded_seq, 'signal', g.signal_type, g.timestamp
       FROM trading_engine_signal g WHERE g.strategy_name = %(venue)s""",
)


def rows_of(connection: psycopg.Connection) -> Iterator[Row]:
    """Return every row that a logging process has stored."""
    for question in _QUESTIONS:
        for key, number, *content in connection.execute(question, {"venue": VENUE}):
            yield Row(key, tuple(content), number)
