"""The event loop with pairs: strategies that see two symbols, whose signals become an order for each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from trading_engine.backtesting.events import OrderTicket, Sink
from trading_engine.backtesting.loop import EventLoop, LoopCounts
from trading_engine.regime import UNKNOWN
from trading_engine.strategies.pairs import PairStrategy

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["PairLoop", "PairSignal", "PairSink", "TradedPair"]


@dataclass(frozen=True, slots=True)
class TradedPair:
    """A strategy on a pair of symbols; it keeps a memory, so every pair has its own."""

    symbols: tuple[str, str]
    strategy: PairStrategy


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSignal:
    """
    Advice of one strategy on one pair at the close of a bar of both.

    Attributes:
        symbols: of the spread first - hedge_ratio × second.
        kind: ENTRY_, EXIT_ or STOP_, LONG or SHORT; long is the first symbol bought.
        prices: closes of both.
        reason: of an exit: SIGNAL, STOP or TIMEOUT.
        regime: of the first symbol at this close, UNKNOWN while its detector warms up.
    """

    strategy: str
    symbols: tuple[str, str]
    timestamp: dt.datetime
    kind: str
    prices: tuple[Decimal, Decimal]
    hedge_ratio: float
    z_score: float
    spread: float
    reason: str
    confidence: float
    reasoning: str
    indicators: Mapping[str, float]
    regime: str


class PairSink(Sink, Protocol):
    """Who keeps the books of a run that trades pairs."""

    def on_pair_signal(self, signal: PairSignal) -> Sequence[OrderTicket]:
        """Keep the signal; return an order for each leg, stored and sized, or none."""


class PairLoop(EventLoop):
    """An event loop that also asks strategies on pairs, after those on symbols, whenever both symbols have a bar."""

    def __init__(self, *, pairs: Sequence[TradedPair], sink: PairSink, **loop: object) -> None:
        """
        Args:
            pairs: asked in this order.
            sink: keeps the books.
            loop: what `EventLoop` takes.
        """
        super().__init__(sink=sink, **loop)  # type: ignore[arg-type]  # as its fields say
        self._pairs, self._pair_sink = pairs, sink

    def _step(self, bars: list[Bar], counts: LoopCounts) -> None:
        super()._step(bars, counts)
        by_symbol = {bar.symbol: bar for bar in bars}
        for pair in self._pairs:
            first, second = (by_symbol.get(symbol) for symbol in pair.symbols)
            if first is not None and second is not None:
                self._ask_pair(pair, first, second, counts)

    def _ask_pair(self, pair: TradedPair, first: Bar, second: Bar, counts: LoopCounts) -> None:
        advice = pair.strategy.on_bars(first, second)
        if advice is None:
            return
        counts.signals += 1
        signal = PairSignal(
            strategy=pair.strategy.name,
            symbols=pair.symbols,
            timestamp=first.timestamp,
            kind=advice.kind,
            prices=(first.close, second.close),
            hedge_ratio=advice.hedge_ratio,
            z_score=advice.z_score,
            spread=advice.spread,
            reason=advice.reason,
            confidence=advice.confidence,
            reasoning=advice.reasoning,
            indicators=advice.indicators,
            regime=self._regimes.get(first.symbol, UNKNOWN),
        )
        for ticket in self._pair_sink.on_pair_signal(signal):
            self.venue.submit(ticket)
            self.sink.on_submitted(ticket)
            counts.orders += 1
