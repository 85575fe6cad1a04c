"""What a system sees before it decides, collected by the clock: five kinds of snapshots under one reference."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.receipts import Receipt, WriteOutcome
from portfolio_manager.booking.figures import account_figures
from portfolio_manager.data_logger import PortfolioSnapshotter
from portfolio_manager.models import Strategy
from trading_engine.indicators import BARS_WANTED, indicators_of
from trading_engine.models import Price, SentimentData
from trading_engine.services import SnapshotLogger

__all__ = ["CalendarEvent", "Collected", "calendar_of_file", "collect_snapshots", "watched_symbols"]

NEWS_WITHIN: Final = dt.timedelta(days=1)
EVENTS_BEFORE: Final = dt.timedelta(days=1)
EVENTS_AHEAD: Final = dt.timedelta(days=7)
# What a person, or a model, would read of it.
HEADLINES_MAX: Final = 100
# What a calendar calls its columns, ours first.
_NAMES: Final = {
    "event_time": ("event_time", "Date"), "currency": ("currency", "Currency", "Country"),
    "impact_level": ("impact_level", "Importance"), "title": ("title", "Event"),
    "previous_value": ("previous_value", "Previous"), "forecast_value": ("forecast_value", "Forecast"),
    "actual_value": ("actual_value", "Actual"),
}  # fmt: skip
_IMPACT: Final = {"1": "low", "2": "medium", "3": "high"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEvent:
    """An event of the economic calendar; its values are text, as calendars give them."""

    event_time: dt.datetime
    currency: str
    impact_level: str
    title: str
    previous_value: str | None
    forecast_value: str | None
    actual_value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """
    What was collected under one reference: how many rows of each kind are stored, new or not.

    Attributes:
        without_bars: symbols of which no bar is stored.
        journaled: rows that are on this machine's disk, because the database was away.
        duplicates: rows that were there already.
    """

    snapshot_ref: UUID
    captured_at: dt.datetime
    candles: int
    indicators: int
    calendar: int
    news: int
    accounts: int
    duplicates: int
    journaled: int
    without_bars: tuple[str, ...]


def watched_symbols(using: str = "default") -> list[str]:
    """Return the tickers on the watchlists of active strategies, sorted."""
    lists = Strategy.objects.using(using).filter(is_active=True).values_list("allowed_symbols", flat=True)
    return sorted({symbol for some in lists for symbol in some})


def calendar_of_file(path: Path) -> list[CalendarEvent]:
    """
    Return the events of a CSV file, separated by "," or "|"; times without a zone are UTC, importance 1 to 3 too.

    Raises:
        RejectedRecordError: a line is wrong; it is named.
    """
    with path.open(newline="", encoding="utf-8-sig") as lines:
        head = lines.readline()
        lines.seek(0)
        reader = csv.DictReader(lines, delimiter="|" if "|" in head else ",")
        return [_event(row, line) for line, row in enumerate(reader, start=2)]


def _event(row: dict[str, Any], line: int) -> CalendarEvent:
    told = {name: next((row[one] for one in names if row.get(one)), None) for name, names in _NAMES.items()}
    try:
        at = dt.datetime.fromisoformat(told["event_time"] or "")
    except ValueError as exc:
        rule = f"line {line}: a date and time as 2017-01-13T02:00:00"
        raise RejectedRecordError("event_time", told["event_time"], rule) from exc
    level = str(told["impact_level"] or "low").lower()
    return CalendarEvent(
        event_time=at if at.tzinfo else at.replace(tzinfo=dt.UTC),
        currency=str(told["currency"] or "")[:10],
        impact_level=_IMPACT.get(level, level),
        title=str(told["title"] or ""),
        previous_value=told["previous_value"],
        forecast_value=told["forecast_value"],
        actual_value=told["actual_value"],
    )


def collect_snapshots(
    account: AccountHandle,
    *,
    at: dt.datetime,
    symbols: Sequence[str],
    timeframe: str = "1d",
    source: str | None = None,
    calendar: Iterable[CalendarEvent] = (),
    using: str = "default",
) -> Collected:
    """
    Store what there was to see at `at`: candles and indicators of stored bars, news, calendar, and the account.

    Nothing that lies behind `at` is looked at. Done again for the same moment it adds nothing.

    Args:
        at: aware.
        symbols: tickers; of each the last stored bar, and the indicators of the bars up to it.
        timeframe, source: of the bars; of the source of the newest bar unless given.
        calendar: events of which those around `at` are kept; what came of one is known once it is over.

    Raises:
        RejectedRecordError: a value breaks a rule.
        KeyReusedError: something else was captured under this very moment.
    """
    ref = natural_id("collected", account.id, checks.check_time("at", at))
    common: dict[str, Any] = {"snapshot_ref": ref, "captured_at": at}
    without: list[str] = []
    receipts: dict[str, list[Receipt]] = {
        name: [] for name in ("candles", "indicators", "calendar", "news", "accounts")
    }
    with SnapshotLogger(using=using) as log, PortfolioSnapshotter(account, using=using) as book:
        for symbol in symbols:
            bars = _bars(symbol, at, timeframe, source, using)
            if not bars:
                without.append(symbol)
                continue
            receipts["candles"].append(_candle(log.log_candle, symbol, bars[-1], common))
            found = indicators_of(bars)
            receipts["indicators"].append(
                log.log_indicators(
                    symbol=symbol, timeframe=timeframe, rsi_14=found.rsi_14, sma_50=found.sma_50,
                    sma_200=found.sma_200, macd=found.macd, atr=found.atr, **common,
                )
            )  # fmt: skip
        receipts["calendar"] = [log.log_calendar(**event, **common) for event in _around(calendar, at)]
        receipts["news"] = [log.log_news(**row, **common) for row in _news(symbols, at, using)]
        receipts["accounts"] = [book.log_account_snapshot(**account_figures(account.id, using=using), **common)]
    told = [one.outcome for some in receipts.values() for one in some]
    stored = (WriteOutcome.STORED, WriteOutcome.DUPLICATE)
    counts: dict[str, Any] = {name: len(some) for name, some in receipts.items()}
    return Collected(
        **common, **counts, without_bars=tuple(without),
        duplicates=told.count(WriteOutcome.DUPLICATE), journaled=sum(one not in stored for one in told),
    )  # fmt: skip


def _bars(symbol: str, at: dt.datetime, timeframe: str, source: str | None, using: str) -> list[Any]:
    """Return the last bars up to a moment, oldest first."""
    bars = Price.objects.using(using).filter(symbol__ticker=symbol, timeframe=timeframe, timestamp__lte=at)
    newest = bars.order_by("-timestamp")
    named = source or newest.values_list("source", flat=True).first()
    return list(newest.filter(source=named)[:BARS_WANTED])[::-1]


def _candle(log: Callable[..., Receipt], symbol: str, bar: Any, common: dict[str, Any]) -> Receipt:
    return log(symbol=symbol, timeframe=bar.timeframe, open=bar.open, high=bar.high, low=bar.low, close=bar.close,
               volume=bar.volume, **common)  # fmt: skip


def _around(calendar: Iterable[CalendarEvent], at: dt.datetime) -> list[dict[str, Any]]:
    found = []
    for event in calendar:
        if at - EVENTS_BEFORE <= event.event_time <= at + EVENTS_AHEAD:
            told = {name: getattr(event, name) for name in CalendarEvent.__dataclass_fields__}
            # A calendar that is read later tells what nobody knew then.
            found.append(told | ({"actual_value": None} if event.event_time > at else {}))
    return found


def _news(symbols: Sequence[str], at: dt.datetime, using: str) -> list[dict[str, Any]]:
    """Return the headlines of the day before, each once, with all the watched symbols that it is about."""
    rows = SentimentData.objects.using(using).filter(
        symbol__ticker__in=symbols, timestamp__lte=at, timestamp__gt=at - NEWS_WITHIN
    )
    about: dict[tuple[str, str, dt.datetime], set[str]] = {}
    for headline, source, moment, ticker in rows.order_by("-timestamp", "id").values_list(
        "headline", "news_source", "timestamp", "symbol__ticker"
    ):
        about.setdefault((headline, source, moment), set()).add(ticker)
    return [
        {"headline": headline, "source": source, "published_at": moment, "symbols": sorted(tickers)}
        for (headline, source, moment), tickers in list(about.items())[:HEADLINES_MAX]
    ]
