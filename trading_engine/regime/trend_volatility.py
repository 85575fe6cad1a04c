"""Detect the market regime of one symbol from trend, volatility and drawdown, bar by bar."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from friren.errors import RejectedRecordError
from trading_engine.regime.measures import (
    BARS_PER_YEAR,
    Confirmation,
    deviation,
    drawdown,
    strength_share,
    trend_score,
)
from trading_engine.regime.readings import (
    BEAR,
    BULL,
    CRISIS,
    HIGH_VOLATILITY,
    SIDEWAYS,
    RegimeReading,
    VixCloses,
)

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["TrendVolatilityDetector", "TrendVolatilityParameters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendVolatilityParameters:
    """
    Thresholds, fixed before any data was looked at; each `leave_…` is the easier one that keeps a regime.

    Attributes:
        trend_bars, short_bars, long_bars: windows of the trend, of volatility now and of usual volatility.
        trend, leave_trend: |trend score| that makes, and keeps, BULL or BEAR.
        stress, leave_stress: volatility now over usual volatility that makes, and keeps, HIGH_VOLATILITY.
        crisis_drawdown, leave_crisis_drawdown: fall below the high of `long_bars`, as a negative fraction.
        crisis_stress, leave_crisis_stress: stress that, with the drawdown, makes and keeps CRISIS.
        vix, leave_vix, crisis_vix, leave_crisis_vix: VIX closes in points that stand in for the stress.
        confirmation: bars in a row that must agree before the regime changes.
    """

    trend_bars: int = 200
    short_bars: int = 21
    long_bars: int = 252
    trend: float = 0.5
    leave_trend: float = 0.0
    stress: float = 1.5
    leave_stress: float = 1.2
    crisis_drawdown: float = -0.15
    leave_crisis_drawdown: float = -0.10
    crisis_stress: float = 1.75
    leave_crisis_stress: float = 1.25
    vix: float = 30.0
    leave_vix: float = 25.0
    crisis_vix: float = 40.0
    leave_crisis_vix: float = 30.0
    confirmation: int = 3

    def __post_init__(self) -> None:
        if not 2 <= self.short_bars < self.long_bars:
            raise RejectedRecordError("short_bars", self.short_bars, f"from 2 to below long_bars ({self.long_bars})")
        if not 2 <= self.trend_bars <= self.long_bars:
            raise RejectedRecordError("trend_bars", self.trend_bars, f"from 2 to long_bars ({self.long_bars})")
        if self.confirmation < 1:
            raise RejectedRecordError("confirmation", self.confirmation, "at least 1 bar")


@dataclass(frozen=True, slots=True)
class _Figures:
    """The four measurements of a bar."""

    trend: float
    stress: float
    drawdown: float
    volatility: float
    vix: float | None


class TrendVolatilityDetector:
    """
    CRISIS, HIGH_VOLATILITY, BULL, BEAR or SIDEWAYS from the closes of one symbol, and VIX if given.

    - trend score = (ln close - mean of the last `trend_bars` ln closes) / (s * sqrt(trend_bars / 3)), s the
      usual daily deviation: under a random walk without drift it varies with about 1, whatever the market.
    - stress = deviation of the last `short_bars` log returns over that of the last `long_bars`.
    - drawdown = close over the highest close of `long_bars`, minus 1.

    Judged in this order: CRISIS (drawdown and stress), HIGH_VOLATILITY (stress), BULL and BEAR (trend),
    SIDEWAYS. A regime that stands is judged by its easier `leave_…` thresholds, and another one must hold
    for `confirmation` bars, so that it does not flicker. Confidence = x / (1 + x), where x is the figure
    over its threshold: 0.5 exactly at the threshold, below 0.5 where only the easier threshold keeps it.
    A bar is judged by itself and the bars before it; the first reading needs `long_bars` + 1 bars.

    Sources: M. T. Faber, "A quantitative approach to tactical asset allocation" (2007), for 200 days of
    trend; E. S. Schmitt's trigger for the two thresholds. The scaling is the variance of a random walk
    about its own mean, n / 3 for large n.
    """

    name: ClassVar[str] = "TREND_VOLATILITY"

    def __init__(self, *, parameters: TrendVolatilityParameters | None = None, vix: VixCloses | None = None) -> None:
        self._is = parameters or TrendVolatilityParameters()
        self._vix = vix
        self._log_closes: deque[float] = deque(maxlen=self._is.long_bars + 1)
        self._confirmation = Confirmation(self._is.confirmation)

    @property
    def _regime(self) -> str:
        return self._confirmation.regime

    def on_bar(self, bar: Bar) -> RegimeReading | None:
        """
        Take a finished bar; return the regime, or None while there are too few bars.

        A close that is not positive has no logarithm: such a bar says nothing and is left out.
        """
        if bar.close <= 0:
            return None
        self._log_closes.append(math.log(bar.close))
        if len(self._log_closes) <= self._is.long_bars:
            return None
        figures = self._measure(self._vix.at(bar.timestamp.date()) if self._vix else None)
        before = self._confirmation.take(self._judge(figures))
        indicators = {
            "trend_score": figures.trend,
            "stress": figures.stress,
            "drawdown": figures.drawdown,
            "volatility": figures.volatility,
        }
        if figures.vix is not None:
            indicators["vix"] = figures.vix
        return RegimeReading(
            timestamp=bar.timestamp,
            regime_type=self._regime,
            previous_regime_type=before,
            confidence=self._confidence(figures),
            indicators=indicators,
            transition_reason="" if self._regime == before else self._reason(figures, before),
        )

    def _measure(self, vix: float | None) -> _Figures:
        closes = list(self._log_closes)
        returns = [later - earlier for earlier, later in pairwise(closes)]
        usual = deviation(returns)
        now = deviation(returns[-self._is.short_bars :])
        return _Figures(
            trend=trend_score(closes[-self._is.trend_bars :], usual=usual),
            stress=now / usual if usual else 1.0,
            drawdown=drawdown(closes),
            volatility=now * math.sqrt(BARS_PER_YEAR),
            vix=vix,
        )

    def _judge(self, now: _Figures) -> str:
        if self._crisis(now) >= 1:
            return CRISIS
        if self._high_volatility(now) >= 1:
            return HIGH_VOLATILITY
        if now.trend >= (self._is.leave_trend if self._regime == BULL else self._is.trend):
            return BULL
        if -now.trend >= (self._is.leave_trend if self._regime == BEAR else self._is.trend):
            return BEAR
        return SIDEWAYS

    def _crisis(self, now: _Figures, *, entering: bool | None = None) -> float:
        """Return how far the figures are past the thresholds of CRISIS; 1 is at them."""
        entering = self._regime != CRISIS if entering is None else entering
        fall = self._is.crisis_drawdown if entering else self._is.leave_crisis_drawdown
        stress = self._is.crisis_stress if entering else self._is.leave_crisis_stress
        vix = self._is.crisis_vix if entering else self._is.leave_crisis_vix
        return min(now.drawdown / fall, max(now.stress / stress, (now.vix or 0.0) / vix))

    def _high_volatility(self, now: _Figures, *, entering: bool | None = None) -> float:
        """Return how far the figures are past the thresholds of HIGH_VOLATILITY; 1 is at them."""
        # Leaving a crisis, volatility is still judged by the easier threshold: it was high a bar ago.
        entering = self._regime not in {HIGH_VOLATILITY, CRISIS} if entering is None else entering
        stress = self._is.stress if entering else self._is.leave_stress
        vix = self._is.vix if entering else self._is.leave_vix
        return max(now.stress / stress, (now.vix or 0.0) / vix)

    def _confidence(self, now: _Figures) -> float:
        if self._regime == CRISIS:
            strength = self._crisis(now, entering=True)
        elif self._regime == HIGH_VOLATILITY:
            strength = self._high_volatility(now, entering=True)
        elif self._regime == BULL:
            strength = now.trend / self._is.trend
        elif self._regime == BEAR:
            strength = -now.trend / self._is.trend
        elif self._regime == SIDEWAYS:
            strength = self._is.trend / abs(now.trend) if now.trend else math.inf
        else:
            return 0.0
        return strength_share(strength)

    def _reason(self, now: _Figures, before: str) -> str:
        vix = f", VIX {now.vix:.2f}" if now.vix is not None else ""
        return (
            f"{before} to {self._regime}: trend {now.trend:+.2f}, stress {now.stress:.2f},"
            f" drawdown {now.drawdown:.1%}{vix}, for {self._is.confirmation} bars"
        )
