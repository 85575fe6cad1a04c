"""Which tables of this floor may be archived, and from which age on; and which never, and why."""

from __future__ import annotations

import os
from typing import Final

from friren.environment import Environment
from friren.operations.archive import register_archive, register_kept
from trading_engine.models import (
    CalendarSnapshot,
    CandleSnapshot,
    IndicatorSnapshot,
    ModelPrediction,
    NewsSnapshot,
    PredictionMarketSnapshot,
    Price,
    SentimentData,
    Signal,
    SignalArchive,
)

__all__ = ["DAYS_MAX", "register_all", "snapshot_days"]

DAYS_MAX: Final = 36_500


def snapshot_days() -> int:
    """Return after how many days what the system saw when it decided is archived, on this floor and the next."""
    return Environment(os.environ).integer("RETENTION_SNAPSHOT_DAYS", default=30, maximum=DAYS_MAX)


def register_all() -> None:
    """Register the policies of this floor. An age of 0 days: only when `archive --older-than` asks for it."""
    env = Environment(os.environ)
    register_archive(
        Signal,
        time="timestamp",
        days=env.integer("RETENTION_SIGNAL_DAYS", default=365, maximum=DAYS_MAX),
        # What led to a trade stays, and goes, with it.
        movable="NOT t.executed AND t.trade_id IS NULL",
        indexed=("trade_id",),
    )
    register_archive(
        SentimentData,
        time="timestamp",
        days=env.integer("RETENTION_SENTIMENT_DAYS", default=365, maximum=DAYS_MAX),
    )
    register_archive(
        ModelPrediction,
        time="timestamp",
        days=env.integer("RETENTION_PREDICTION_DAYS", default=365, maximum=DAYS_MAX),
        # What is open is still to be resolved.
        movable="t.resolved_at IS NOT NULL",
    )
    register_archive(
        Price,
        time="timestamp",
        # Backtests read them all.
        days=env.integer("RETENTION_PRICE_DAYS", default=0, maximum=DAYS_MAX),
        products={"notional": "t.close * t.volume"},
    )
    register_archive(
        PredictionMarketSnapshot,
        time="timestamp",
        # As prices: what strategies are tried on.
        days=env.integer("RETENTION_MARKET_SNAPSHOT_DAYS", default=0, maximum=DAYS_MAX),
    )
    for snapshot in (CalendarSnapshot, CandleSnapshot, IndicatorSnapshot, NewsSnapshot):
        register_archive(snapshot, time="captured_at", days=snapshot_days())
    register_kept(SignalArchive, "it is an archive itself")
