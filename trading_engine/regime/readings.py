"""What a regime detector says about one bar, and the VIX closes it may be given."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = [
    "BEAR",
    "BULL",
    "CRISIS",
    "HIGH_VOLATILITY",
    "SIDEWAYS",
    "UNKNOWN",
    "RegimeDetector",
    "RegimeReading",
    "VixCloses",
]

# Texts of RegimeType; this package stays importable without Django.
BULL: Final = "BULL"
BEAR: Final = "BEAR"
SIDEWAYS: Final = "SIDEWAYS"
HIGH_VOLATILITY: Final = "HIGH_VOLATILITY"
CRISIS: Final = "CRISIS"
UNKNOWN: Final = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class RegimeReading:
    """
    The regime at the close of one bar.

    Attributes:
        timestamp: of the bar, aware UTC.
        regime_type: a text of RegimeType.
        previous_regime_type: what stood before this bar; equal to `regime_type` when nothing changed.
        confidence: 0..1; see the detector.
        indicators: the figures it was judged by, plain floats.
        transition_reason: one sentence when it changed, else "".
    """

    timestamp: dt.datetime
    regime_type: str
    previous_regime_type: str
    confidence: float
    indicators: Mapping[str, float]
    transition_reason: str = ""

    @property
    def changed(self) -> bool:
        """Whether this bar brought another regime."""
        return self.regime_type != self.previous_regime_type


class RegimeDetector(Protocol):
    """A detector on one symbol. It is fed every bar once, oldest first."""

    @property
    def name(self) -> str:
        """The name its regimes are stored under."""

    def on_bar(self, bar: Bar) -> RegimeReading | None:
        """Take a finished bar; return the regime, or None while there are too few bars."""


class VixCloses:
    """VIX closes by day, read without looking ahead."""

    # A gap in the source (holidays, missing rows) is bridged by the last close for a week at most.
    STALE_AFTER: Final = dt.timedelta(days=7)

    def __init__(self, closes: Mapping[dt.date, float]) -> None:
        """
        Args:
            closes: VIX close in index points by day; days may be missing.
        """
        self._days = sorted(closes)
        self._closes = [closes[day] for day in self._days]

    def at(self, day: dt.date) -> float | None:
        """Return the last close on or before `day`, or None if there is none within a week."""
        index = bisect_right(self._days, day) - 1
        if index < 0 or day - self._days[index] > self.STALE_AFTER:
            return None
        return self._closes[index]
