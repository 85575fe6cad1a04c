"""
The tables of a storage as the database has them: what a table's rows say in the words of the source.

Upper floors register how the tables are read whose rows are theirs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Subquery

from trading_engine.current_rows import current_keys
from trading_engine.data.prescient.telling import CLOSED, EXIT, VENUE
from trading_engine.models import PredictionEvent, PredictionMarket, Signal, SignalArchive, Trade
from trading_engine.signal_records import batch_of

__all__ = ["Reader", "reader_of", "register_reader"]

# Rows that are in memory at once.
CHUNK_ROWS: Final = 2_000
_SIZE: Final = ("liquidity", "volume", "volume24hr")
_OPENS: Final = ("buy_yes", "buy_no")

Reader = Callable[[UUID, str], Iterator[dict[str, Any]]]


def register_reader(table: str, reader: Reader) -> None:
    """Let `reader(account, using)` yield the records of a table, each with all its columns."""
    _readers[table] = reader


def reader_of(table: str) -> Reader | None:
    """Return what reads a table out of the database; None where nothing does."""
    return _readers.get(table)


def _opening_trades(account: UUID, using: str) -> QuerySet[Trade, Any]:
    ends = Trade.objects.using(using).filter(
        account=account, venue=VENUE, external_id__endswith=EXIT, round_trip=OuterRef("round_trip")
    )
    trades = Trade.objects.using(using).filter(account=account, venue=VENUE, action__in=_OPENS)
    shared = {"amount_": F("amount"), "entry_price": F("price")}
    return trades.order_by().values(
        "market_id",
        "market_question",
        "action",
        "executed_at",
        "external_id",
        "confidence_score",
        "reasoning",
        "event_id",
        "event_title",
        "event_ends_at",
        exit_price=Subquery(ends.values("price")[:1]),
        exit_timestamp=Subquery(ends.values("executed_at")[:1]),
        realized=Subquery(ends.values("source_pnl")[:1]),
        **shared,
    )


def _trades(account: UUID, using: str) -> Iterator[dict[str, Any]]:
    for row in _opening_trades(account, using).iterator(CHUNK_ROWS):
        yield {
            "trade_id": row["external_id"],
            "timestamp": row["executed_at"],
            "market_id": row["market_id"],
            "market_question": row["market_question"] or None,
            "action": row["action"],
            "amount": row["amount_"],
            "entry_price": row["entry_price"],
            "confidence": row["confidence_score"],
            "reason": row["reasoning"] or None,
            "status": _status(row),
            "event_id": row["event_id"],
            "event_title": row["event_title"] or None,
            "event_end_date": row["event_ends_at"],
            "current_pnl": None,
            "realized_pnl": row["realized"],
        }


def _positions(account: UUID, using: str) -> Iterator[dict[str, Any]]:
    for row in _opening_trades(account, using).iterator(CHUNK_ROWS):
        yield {
            "trade_id": row["external_id"],
            "market_id": row["market_id"],
            "market_question": row["market_question"] or None,
            "action": row["action"],
            "amount": row["amount_"],
            "entry_price": row["entry_price"],
            "entry_timestamp": row["executed_at"],
            "status": _status(row),
            "current_pnl": None,
            "realized_pnl": row["realized"],
            "exit_price": row["exit_price"],
            "exit_timestamp": row["exit_timestamp"],
        }


def _status(row: dict[str, Any]) -> str:
    return "open" if row["exit_timestamp"] is None else CLOSED


def _signals(account: UUID, using: str) -> Iterator[dict[str, Any]]:
    """Yield the signals that were given last, together."""
    given = [dt.datetime.fromisoformat(at) for at in current_keys(account, "signals", using=using)]
    batches = [batch_of(account, VENUE, at) for at in given]
    signals = Signal.objects.using(using).filter(account=account, kind="PREDICTION", batch_id__in=batches)
    for row in signals.order_by().select_related("trade"):
        yield {
            "timestamp": row.timestamp,
            "market_id": row.market_id,
            "market_question": row.market_question or None,
            "action": row.signal_type.casefold(),
            "target_price": row.target_price,
            "amount": row.amount,
            "confidence": row.confidence_score,
            "reason": row.reasoning or None,
            "yes_price": row.yes_price,
            "no_price": row.no_price,
            "market_liquidity": row.market_liquidity,
            "market_volume": row.market_volume,
            "event_id": row.event_id,
            "event_title": row.event_title or None,
            "event_end_date": row.event_ends_at,
            "executed": row.executed,
            "executed_at": row.executed_at,
            "trade_id": row.trade.external_id if row.trade else None,
        }


def _archives(account: UUID, using: str) -> Iterator[dict[str, Any]]:
    rows = SignalArchive.objects.using(using).filter(account=account).order_by()
    for row in rows.iterator(CHUNK_ROWS):
        names = ("archived_at", "archive_month", "signals_count", "signals_data")
        yield {name: getattr(row, name) for name in names}


def _events(table: str, account: UUID, using: str) -> Iterator[dict[str, Any]]:
    rows = PredictionEvent.objects.using(using).filter(event_id__in=current_keys(account, table, using=using))
    for row in rows.order_by().iterator(CHUNK_ROWS):
        names = ("event_id", "title", *_SIZE, "days_until_end", "event_data")
        found = {name: getattr(row, name) for name in names}
        yield {**found, "slug": row.slug or None, "start_date": row.starts_at, "end_date": row.ends_at}


def _markets(account: UUID, using: str) -> Iterator[dict[str, Any]]:
    rows = PredictionMarket.objects.using(using).filter(market_id__in=current_keys(account, "markets", using=using))
    for row in rows.order_by().iterator(CHUNK_ROWS):
        names = ("market_id", "question", *_SIZE, "yes_price", "no_price", "market_conviction", "market_data")
        found = {name: getattr(row, name) for name in names}
        yield {
            **found,
            "event_id": row.event_id,
            "event_title": row.event_title or None,
            "event_end_date": row.event_ends_at,
        }


_readers: Final[dict[str, Reader]] = {
    "trades": _trades,
    "positions": _positions,
    "signals": _signals,
    "signal_archives": _archives,
    "raw_events": partial(_events, "raw_events"),
    "events": partial(_events, "events"),
    "markets": _markets,
}
