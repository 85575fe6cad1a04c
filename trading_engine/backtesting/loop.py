"""The event loop: bars of several symbols in, in the order in which one could have known them."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from friren.errors import RejectedRecordError
from trading_engine.backtesting.events import Sink, StrategySignal, Venue
from trading_engine.regime import UNKNOWN, RegimeDetector
from trading_engine.strategies import Strategy

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["EventLoop", "LoopCounts", "merge_bars"]


@dataclass(slots=True)
class LoopCounts:
    """What passed through a loop."""

    bars: int = 0
    signals: int = 0
    orders: int = 0
    fills: int = 0
    regimes: int = 0
    days: int = 0


def merge_bars(series: Mapping[str, Iterable[Bar]]) -> Iterator[tuple[dt.datetime, list[Bar]]]:
    """
    Yield (timestamp, bars) oldest first; bars of one timestamp in the order of their symbols.

    Args:
        series: bars of one timeframe by symbol, each oldest first.

    Raises:
        RejectedRecordError: bars of a symbol are not in strictly ascending order, or bear another symbol.
    """
    ordered = (_ascending(symbol, bars) for symbol, bars in series.items())
    merged = heapq.merge(*ordered, key=attrgetter("timestamp", "symbol"))
    for timestamp, bars in groupby(merged, key=attrgetter("timestamp")):
        yield timestamp, list(bars)


def _ascending(symbol: str, bars: Iterable[Bar]) -> Iterator[Bar]:
    last: dt.datetime | None = None
    for bar in bars:
        if bar.symbol != symbol:
            raise RejectedRecordError("symbol", bar.symbol, f"the symbol of its series, {symbol}")
        if last is not None and bar.timestamp <= last:
            rule = f"later than the bar of {symbol} before it ({last.isoformat()})"
            raise RejectedRecordError("timestamp", bar.timestamp.isoformat(), rule)
        last = bar.timestamp
        yield bar


@dataclass(slots=True, kw_only=True)
class EventLoop:
    """
    Turn bars and strategies into signals and fills for a sink.

    At each timestamp, in this order: open orders are filled at the open; the closes become known;
    detectors see the bars; strategies see them; the sink answers each signal with an order, stored
    before it is submitted. An order is filled at the next bar of its symbol, so what is decided on the
    last bar is not filled. A day is closed when the first bar of a later day (UTC) arrives, before
    anything of that bar is used, and at the end. Nothing ever sees a bar that has not come yet.

    Attributes:
        strategies: one instance per strategy and symbol, by symbol.
        detectors: at most one per symbol.
        progress: called with the number of bars just done, per timestamp.
    """

    strategies: Mapping[str, Sequence[Strategy]]
    venue: Venue
    sink: Sink
    detectors: Mapping[str, RegimeDetector] = field(default_factory=dict)
    progress: Callable[[int], None] | None = None
    _regimes: dict[str, str] = field(default_factory=dict, init=False)

    def run(self, series: Mapping[str, Iterable[Bar]]) -> LoopCounts:
        """
        Run over all bars once.

        Raises:
            RejectedRecordError: see `merge_bars`.
        """
        counts = LoopCounts()
        last: dt.datetime | None = None
        for timestamp, bars in merge_bars(series):
            if last is not None and timestamp.date() != last.date():
                self._close_day(last, counts)
            self._step(bars, counts)
            last = timestamp
            if self.progress is not None:
                self.progress(len(bars))
        if last is not None:
            self._close_day(last, counts)
        return counts

    def _step(self, bars: list[Bar], counts: LoopCounts) -> None:
        counts.bars += len(bars)
        for bar in bars:
            for fill in self.venue.on_open(bar):
                self.sink.on_fill(fill)
                counts.fills += 1
        self.sink.on_bars(bars)
        for bar in bars:
            self._detect(bar, counts)
        for bar in bars:
            for strategy in self.strategies.get(bar.symbol, ()):
                self._ask(strategy, bar, counts)

    def _detect(self, bar: Bar, counts: LoopCounts) -> None:
        detector = self.detectors.get(bar.symbol)
        reading = detector.on_bar(bar) if detector is not None else None
        if reading is None:
            return
        self._regimes[bar.symbol] = reading.regime_type
        if reading.changed:
            self.sink.on_regime(bar.symbol, reading)
            counts.regimes += 1

    def _ask(self, strategy: Strategy, bar: Bar, counts: LoopCounts) -> None:
        advice = strategy.on_bar(bar)
        if advice is None:
            return
        counts.signals += 1
        signal = StrategySignal(
            strategy=strategy.name,
            symbol=bar.symbol,
            timestamp=bar.timestamp,
            kind=advice.kind,
            price=bar.close,
            confidence=advice.confidence,
            reasoning=advice.reasoning,
            indicators=advice.indicators,
            evidence=advice.evidence,
            regime=self._regimes.get(bar.symbol, UNKNOWN),
        )
        ticket = self.sink.on_signal(signal)
        if ticket is not None:
            self.venue.submit(ticket)
            self.sink.on_submitted(ticket)
            counts.orders += 1

    def _close_day(self, at: dt.datetime, counts: LoopCounts) -> None:
        self.sink.on_day_close(at)
        counts.days += 1
