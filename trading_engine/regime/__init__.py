"""Market regime detectors: incremental, without looking ahead, parameters fixed beforehand."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from friren.errors import RejectedRecordError
from trading_engine.regime.enhanced import EnhancedDetector, EnhancedParameters
from trading_engine.regime.entropy import EntropyDetector, EntropyParameters
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
    "DEFAULT_DETECTOR",
    "DETECTORS",
    "HIGH_VOLATILITY",
    "SIDEWAYS",
    "UNKNOWN",
    "EnhancedDetector",
    "EnhancedParameters",
    "EntropyDetector",
    "EntropyParameters",
    "RegimeDetector",
    "RegimeReading",
    "TrendVolatilityDetector",
    "TrendVolatilityParameters",
    "VixCloses",
    "create_detector",
]

# Needs no extra, and reads a regime after a year.
DEFAULT_DETECTOR: Final = TrendVolatilityDetector.name
# A factory and not an instance: every symbol of every run gets a detector with a memory of its own. Of VIX each takes
# what it reads.
DETECTORS: Final = MappingProxyType[str, Callable[[VixCloses | None], RegimeDetector]](
    {
        TrendVolatilityDetector.name: lambda vix: TrendVolatilityDetector(vix=vix),
        EnhancedDetector.name: lambda vix: EnhancedDetector(vix=vix),
        EntropyDetector.name: lambda _vix: EntropyDetector(),
    }
)


def create_detector(name: str, *, vix: VixCloses | None = None) -> RegimeDetector:
    """
    Return a new detector by its name, in any case.

    Args:
        vix: closes, for a detector that reads them.

    Raises:
        RejectedRecordError: there is no detector of that name.
        ConfigurationError: it needs an extra that is not installed.
    """
    factory = DETECTORS.get(name.upper())
    if factory is None:
        raise RejectedRecordError("detector", name, f"one of {', '.join(DETECTORS)}")
    return factory(vix)
