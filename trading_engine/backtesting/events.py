"""What passes between the event loop, a venue and the sink that keeps the books."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from trading_engine.regime import RegimeReading
from trading_engine.strategies.base import ModelEvidence

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["OrderTicket", "Sink", "StrategySignal", "Venue", "VenueFill"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySignal:
    """
    Advice of one strategy on one symbol at the close of a bar.

    Attributes:
        strategy: registered name.
        symbol: as the bars name it.
        timestamp: of the bar, aware UTC.
        kind: ENTRY_LONG or EXIT_LONG.
        price: close of the bar.
        confidence: 0..1.
        reasoning: one sentence.
        indicators: the figures behind it.
        evidence: of the model that the advice comes from, if one was asked.
        regime: the symbol's regime at this close, UNKNOWN while its detector warms up.
    """

    strategy: str
    symbol: str
    timestamp: dt.datetime
    kind: str
    price: Decimal
    confidence: float
    reasoning: str
    indicators: Mapping[str, float]
    regime: str
    evidence: ModelEvidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTicket:
    """
    A market order that is stored and may be sent.

    Attributes:
        id: the client order id, under which the order is stored.
        action: buy or sell; short or cover of a leg of a pair.
        quantity: positive.
        requested_at: when it was decided, aware UTC.
        round_trip: of a leg of a pair: what both legs, and their exits, have in common.
    """

    id: UUID
    symbol: str
    strategy: str
    action: str
    quantity: Decimal
    requested_at: dt.datetime
    round_trip: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFill:
    """What a venue did with an order: all of it, at `price`, for `commission` (positive = paid)."""

    ticket: OrderTicket
    price: Decimal
    commission: Decimal
    executed_at: dt.datetime


class Venue(Protocol):
    """Where orders go: a simulation here, a broker elsewhere."""

    def submit(self, ticket: OrderTicket) -> None:
        """Take an order; whatever this raises, the order is stored already."""

    def on_open(self, bar: Bar) -> Sequence[VenueFill]:
        """Return what was filled by the time this bar opened, in the order of submission."""


class Sink(Protocol):
    """Who keeps the books of a run. Calls come in the order of the event loop and from one thread."""

    def on_fill(self, fill: VenueFill) -> None:
        """Take a fill at the open of a bar."""

    def on_bars(self, bars: Sequence[Bar]) -> None:
        """Take the finished bars of one timestamp: their closes are now known."""

    def on_regime(self, symbol: str, reading: RegimeReading) -> None:
        """Take a change of regime."""

    def on_signal(self, signal: StrategySignal) -> OrderTicket | None:
        """Keep the signal; return an order that is stored and sized, or None."""

    def on_submitted(self, ticket: OrderTicket) -> None:
        """Take note that the venue has the order."""

    def on_day_close(self, at: dt.datetime) -> None:
        """Mark to market: `at` is the last bar's timestamp of a day (UTC)."""
