"""Market regime detectors: incremental, without looking ahead, parameters fixed beforehand."""

from __future__ import annotations

from trading_engine.regime.readings import (
    BEAR,
    BULL,
    CRISIS,
    HIGH_VOLATILITY,
    SIDEWAYS,
    UNKNOWN,
    RegimeDetector,
    RegimeReading,
    VixCloses,
)
from trading_engine.regime.trend_volatility import TrendVolatilityDetector, TrendVolatilityParameters

__all__ = [
    "BEAR",
    "BULL",
    "CRISIS",
    "HIGH_VOLATILITY",
    "SIDEWAYS",
    "UNKNOWN",
    "RegimeDetector",
    "RegimeReading",
    "TrendVolatilityDetector",
    "TrendVolatilityParameters",
    "VixCloses",
]
