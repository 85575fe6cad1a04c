"""The event loop of backtests and paper trading; it writes nothing, its sink does."""

from __future__ import annotations

from trading_engine.backtesting.events import OrderTicket, Sink, StrategySignal, Venue, VenueFill
from trading_engine.backtesting.loop import EventLoop, LoopCounts, merge_bars
from trading_engine.backtesting.pair_loop import PairLoop, PairSignal, PairSink, TradedPair
from trading_engine.backtesting.venue import NextOpenVenue

__all__ = [
    "EventLoop",
    "LoopCounts",
    "NextOpenVenue",
    "OrderTicket",
    "PairLoop",
    "PairSignal",
    "PairSink",
    "Sink",
    "StrategySignal",
    "TradedPair",
    "Venue",
    "VenueFill",
    "merge_bars",
]
