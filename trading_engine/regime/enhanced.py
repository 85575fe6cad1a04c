"""The ENHANCED detector: trend, GARCH volatility, a hidden Markov chain and VIX, judged together."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from friren.errors import RejectedRecordError
from trading_engine.regime.measures import Confirmation, deviation, drawdown, strength_share, trend_score
from trading_engine.regime.readings import (
    BEAR,
    BULL,
    CRISIS,
    HIGH_VOLATILITY,
    SIDEWAYS,
    RegimeReading,
    VixCloses,
)
from trading_engine.regime.volatility_models import GarchVolatility, TurbulenceFilter, load_models

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["EnhancedDetector", "EnhancedParameters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancedParameters:
    """
    Thresholds and windows, fixed before any data was looked at; each `leave_…` is the easier one that keeps a regime.

    Those that `TrendVolatilityParameters` has too have its values; a chance of one half is Bayes' rule for two states.

    Attributes:
        trend_bars, high_bars: windows of the trend and of the high that the drawdown is measured from.
        first_fit_bars, fit_bars, refit_bars: returns that the first fit takes, that any fit takes at most, and bars
            between fits: two years, five years, a quarter.
        trend, leave_trend: |trend score| that makes, and keeps, BULL or BEAR.
        turbulence, leave_turbulence: chance of the turbulent state.
        stress, leave_stress: GARCH forecast over the usual deviation.
        vix, leave_vix: VIX close in points.
        crisis_drawdown, leave_crisis_drawdown: fall below the high, as a negative fraction.
        confirmation: bars in a row that must agree before the regime changes.
    """

    trend_bars: int = 200
    high_bars: int = 252
    first_fit_bars: int = 504
    fit_bars: int = 1260
    refit_bars: int = 63
    trend: float = 0.5
    leave_trend: float = 0.0
    turbulence: float = 0.5
    leave_turbulence: float = 0.5
    stress: float = 1.5
    leave_stress: float = 1.2
    vix: float = 30.0
    leave_vix: float = 25.0
    crisis_drawdown: float = -0.15
    leave_crisis_drawdown: float = -0.10
    confirmation: int = 3

    def __post_init__(self) -> None:
        if not 100 <= self.first_fit_bars <= self.fit_bars:
            raise RejectedRecordError("first_fit_bars", self.first_fit_bars, f"from 100 to fit_bars ({self.fit_bars})")
        for name in ("trend_bars", "high_bars"):
            if not 2 <= (bars := getattr(self, name)) <= self.first_fit_bars:
                raise RejectedRecordError(name, bars, f"from 2 to first_fit_bars ({self.first_fit_bars})")
        for name in ("refit_bars", "confirmation"):
            if (bars := getattr(self, name)) < 1:
                raise RejectedRecordError(name, bars, "at least 1 bar")


@dataclass(frozen=True, slots=True)
class _Figures:
    """The measurements of a bar."""

    trend: float
    turbulence: float
    stress: float
    volatility: float
    drawdown: float
    vix: float | None


class EnhancedDetector:
    """
    CRISIS, HIGH_VOLATILITY, BULL, BEAR or SIDEWAYS by what several models of one symbol agree on.

    Two witnesses of unrest, and VIX as a third where there is one:

    - turbulence = the filtered chance of the turbulent state of a two-state Markov chain, see `TurbulenceFilter`;
    - stress = the GARCH(1,1) forecast over the deviation of the returns of the last fit, see `GarchVolatility`.

    Two witnesses past their thresholds make HIGH_VOLATILITY, and with a fall of `crisis_drawdown` CRISIS; one past its
    easier threshold keeps either. Otherwise the trend score (`measures.trend_score`) makes BULL, BEAR or SIDEWAYS.
    Another regime must hold for `confirmation` bars.

    Both models are fitted anew every `refit_bars` bars, counted from the first bar, on at most `fit_bars` returns up to
    the bar just finished, and carried forward between: a bar is judged by itself and the bars before it. The first
    reading needs `first_fit_bars` + 1 bars.

    Confidence: of CRISIS and HIGH_VOLATILITY the mean of x / (1 + x) over the witnesses (and the fall), x a figure over
    its threshold; of the others the mean of that of the trend and of the chance of the calm state.
    """

    name: ClassVar[str] = "ENHANCED"

    def __init__(self, *, parameters: EnhancedParameters | None = None, vix: VixCloses | None = None) -> None:
        """
        Raises:
            ConfigurationError: the extra `regime` is not installed.
        """
        load_models()
        self._is = parameters or EnhancedParameters()
        self._vix = vix
        self._log_closes: deque[float] = deque(maxlen=self._is.fit_bars + 1)
        self._garch = GarchVolatility()
        self._filter = TurbulenceFilter()
        self._usual = 0.0
        self._bars_read = 0
        self._confirmation = Confirmation(self._is.confirmation)

    def on_bar(self, bar: Bar) -> RegimeReading | None:
        """
        Take a finished bar; return the regime, or None while there are too few bars.

        A close that is not positive has no logarithm: such a bar says nothing and is left out.
        """
        if bar.close <= 0:
            return None
        self._log_closes.append(math.log(bar.close))
        if len(self._log_closes) <= self._is.first_fit_bars:
            return None
        self._carry_models()
        now = self._measure(self._vix.at(bar.timestamp.date()) if self._vix else None)
        before = self._confirmation.take(self._judge(now))
        regime = self._confirmation.regime
        return RegimeReading(
            timestamp=bar.timestamp,
            regime_type=regime,
            previous_regime_type=before,
            confidence=self._confidence(now),
            indicators=_indicators(now),
            transition_reason="" if regime == before else self._reason(now, before),
        )

    def _carry_models(self) -> None:
        if self._bars_read % self._is.refit_bars == 0:
            returns = [later - earlier for earlier, later in pairwise(self._log_closes)]
            self._usual = deviation(returns)
            self._garch.refit(returns)
            self._filter.refit(returns)
        else:
            last = self._log_closes[-1] - self._log_closes[-2]
            self._garch.update(last)
            self._filter.update(last)
        self._bars_read += 1

    def _measure(self, vix: float | None) -> _Figures:
        closes = list(self._log_closes)
        return _Figures(
            trend=trend_score(closes[-self._is.trend_bars :], usual=self._usual),
            turbulence=self._filter.probability,
            stress=self._garch.deviation / self._usual if self._usual else 1.0,
            volatility=self._garch.annual_volatility,
            drawdown=drawdown(closes[-self._is.high_bars - 1 :]),
            vix=vix,
        )

    def _judge(self, now: _Figures) -> str:
        regime = self._confirmation.regime
        shaken = self._shaken(now, keeping=regime in {HIGH_VOLATILITY, CRISIS})
        fall = self._is.leave_crisis_drawdown if regime == CRISIS else self._is.crisis_drawdown
        if shaken:
            return CRISIS if now.drawdown <= fall else HIGH_VOLATILITY
        if now.trend >= (self._is.leave_trend if regime == BULL else self._is.trend):
            return BULL
        if -now.trend >= (self._is.leave_trend if regime == BEAR else self._is.trend):
            return BEAR
        return SIDEWAYS

    def _shaken(self, now: _Figures, *, keeping: bool) -> bool:
        return sum(strength >= 1 for strength in self._witnesses(now, keeping=keeping)) >= (1 if keeping else 2)

    def _witnesses(self, now: _Figures, *, keeping: bool = False) -> list[float]:
        """Return how far each witness is past its threshold; 1 is at it."""
        limits = self._is
        strengths = [
            now.turbulence / (limits.leave_turbulence if keeping else limits.turbulence),
            now.stress / (limits.leave_stress if keeping else limits.stress),
        ]
        if now.vix is not None:
            strengths.append(now.vix / (limits.leave_vix if keeping else limits.vix))
        return strengths

    def _confidence(self, now: _Figures) -> float:
        regime = self._confirmation.regime
        if regime in {CRISIS, HIGH_VOLATILITY}:
            parts = [strength_share(strength) for strength in self._witnesses(now)]
            if regime == CRISIS:
                parts.append(strength_share(now.drawdown / self._is.crisis_drawdown))
        elif regime in {BULL, BEAR}:
            way = 1 if regime == BULL else -1
            parts = [strength_share(way * now.trend / self._is.trend), 1 - now.turbulence]
        elif regime == SIDEWAYS:
            weak = self._is.trend / abs(now.trend) if now.trend else math.inf
            parts = [strength_share(weak), 1 - now.turbulence]
        else:
            return 0.0
        return sum(parts) / len(parts)

    def _reason(self, now: _Figures, before: str) -> str:
        vix = f", VIX {now.vix:.2f}" if now.vix is not None else ""
        return (
            f"{before} to {self._confirmation.regime}: turbulent with {now.turbulence:.0%}, GARCH volatility"
            f" {now.volatility:.1%} ({now.stress:.2f} of the usual), trend {now.trend:+.2f}, drawdown"
            f" {now.drawdown:.1%}{vix}, for {self._is.confirmation} bars"
        )


def _indicators(now: _Figures) -> dict[str, float]:
    figures = {
        "trend_score": now.trend,
        "turbulence": now.turbulence,
        "stress": now.stress,
        "volatility": now.volatility,
        "drawdown": now.drawdown,
    }
    return figures if now.vix is None else {**figures, "vix": now.vix}
