"""The ENTROPY detector: how unlike the usual the returns are distributed, and how orderly the closes move."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from friren.errors import RejectedRecordError
from trading_engine.regime.entropies import permutation_entropy, quantile_edges, relative_entropy
from trading_engine.regime.measures import (
    BARS_PER_YEAR,
    Confirmation,
    deviation,
    drawdown,
    strength_share,
    trend_score,
)
from trading_engine.regime.readings import BEAR, BULL, CRISIS, HIGH_VOLATILITY, SIDEWAYS, RegimeReading

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["EntropyDetector", "EntropyParameters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyParameters:
    """
    Thresholds and windows, fixed before any data was looked at; each `leave_…` is the easier one that keeps a regime.

    The divergences are quantiles of chi-square with 9 degrees of freedom over twice `recent_bars`: 27.88 (one in a
    thousand) and 16.92 (one in twenty). The order of a random walk is 2.5 / log2(6). The others are those of
    `TrendVolatilityParameters`.

    Attributes:
        recent_bars: returns whose distribution is compared, a quarter.
        usual_bars, usual_bars_min: returns before them that they are compared with, at most and at least.
        bins: parts of equal share of the usual returns.
        divergence, leave_divergence: nats that make, and keep, HIGH_VOLATILITY.
        tails: share of the outer two parts below which a divergence is one of calm.
        order_bars: closes whose permutation entropy is taken.
        orderly: permutation entropy below which the closes are more orderly than a random walk.
        trend_bars: window of the trend.
        trend, leave_trend: |trend score| that makes, and keeps, BULL or BEAR while the closes are orderly.
        disorderly_trend: |trend score| that makes BULL or BEAR otherwise: the deviation of a random walk.
        high_bars, crisis_drawdown, leave_crisis_drawdown: as for the ENHANCED detector.
        confirmation: bars in a row that must agree before the regime changes.
    """

    recent_bars: int = 63
    usual_bars: int = 1260
    usual_bars_min: int = 441
    bins: int = 10
    divergence: float = 27.88 / 126
    leave_divergence: float = 16.92 / 126
    tails: float = 0.2
    order_bars: int = 252
    orderly: float = 2.5 / math.log2(6)
    trend_bars: int = 200
    trend: float = 0.5
    leave_trend: float = 0.0
    disorderly_trend: float = 1.0
    high_bars: int = 252
    crisis_drawdown: float = -0.15
    leave_crisis_drawdown: float = -0.10
    confirmation: int = 3

    def __post_init__(self) -> None:
        if not 2 <= self.bins <= self.usual_bars_min:
            raise RejectedRecordError("bins", self.bins, f"from 2 to usual_bars_min ({self.usual_bars_min})")
        if self.usual_bars_min > self.usual_bars:
            raise RejectedRecordError("usual_bars_min", self.usual_bars_min, f"at most usual_bars ({self.usual_bars})")
        for name in ("recent_bars", "order_bars", "trend_bars", "high_bars"):
            if not 3 <= (bars := getattr(self, name)) <= self.recent_bars + self.usual_bars_min:
                raise RejectedRecordError(name, bars, "from 3 to recent_bars + usual_bars_min")
        if self.confirmation < 1:
            raise RejectedRecordError("confirmation", self.confirmation, "at least 1 bar")


@dataclass(frozen=True, slots=True)
class _Figures:
    """The measurements of a bar."""

    divergence: float
    tails: float
    order: float
    trend: float
    drawdown: float
    volatility: float


class EntropyDetector:
    """
    CRISIS, HIGH_VOLATILITY, BULL, BEAR or SIDEWAYS by two entropies of one symbol's closes.

    - divergence = relative entropy of the last `recent_bars` log returns against those before them. With more than
      `tails` of them in the outer parts it is one of unrest: HIGH_VOLATILITY, and with a fall of `crisis_drawdown`
      CRISIS.
    - order = permutation entropy of the last `order_bars` closes. Closes more orderly than a random walk need less of a
      trend (`measures.trend_score`) to be BULL or BEAR; else SIDEWAYS.

    Another regime must hold for `confirmation` bars. A bar is judged by itself and the bars before it; the first
    reading needs `recent_bars` + `usual_bars_min` + 1 bars. Nothing is fitted.

    Confidence = x / (1 + x), x the divergence over its threshold (of CRISIS the mean with that of the fall), or the
    trend score over its own.
    """

    name: ClassVar[str] = "ENTROPY"

    def __init__(self, *, parameters: EntropyParameters | None = None) -> None:
        self._is = parameters or EntropyParameters()
        self._log_closes: deque[float] = deque(maxlen=self._is.recent_bars + self._is.usual_bars + 1)
        self._confirmation = Confirmation(self._is.confirmation)

    def on_bar(self, bar: Bar) -> RegimeReading | None:
        """
        Take a finished bar; return the regime, or None while there are too few bars.

        A close that is not positive has no logarithm: such a bar says nothing and is left out.
        """
        if bar.close <= 0:
            return None
        self._log_closes.append(math.log(bar.close))
        if len(self._log_closes) <= self._is.recent_bars + self._is.usual_bars_min:
            return None
        now = self._measure()
        before = self._confirmation.take(self._judge(now))
        regime = self._confirmation.regime
        return RegimeReading(
            timestamp=bar.timestamp,
            regime_type=regime,
            previous_regime_type=before,
            confidence=self._confidence(now),
            indicators={
                "divergence": now.divergence,
                "tails": now.tails,
                "permutation_entropy": now.order,
                "trend_score": now.trend,
                "drawdown": now.drawdown,
                "volatility": now.volatility,
            },
            transition_reason="" if regime == before else self._reason(now, before),
        )

    def _measure(self) -> _Figures:
        closes = list(self._log_closes)
        returns = [later - earlier for earlier, later in pairwise(closes)]
        recent, usual = returns[-self._is.recent_bars :], returns[: -self._is.recent_bars]
        divergence, tails = relative_entropy(recent, quantile_edges(usual, bins=self._is.bins))
        return _Figures(
            divergence=divergence,
            tails=tails,
            order=permutation_entropy(closes[-self._is.order_bars :]),
            trend=trend_score(closes[-self._is.trend_bars :], usual=deviation(usual)),
            drawdown=drawdown(closes[-self._is.high_bars - 1 :]),
            volatility=deviation(recent) * math.sqrt(BARS_PER_YEAR),
        )

    def _judge(self, now: _Figures) -> str:
        regime = self._confirmation.regime
        keeping = regime in {HIGH_VOLATILITY, CRISIS}
        limit = self._is.leave_divergence if keeping else self._is.divergence
        if now.divergence >= limit and now.tails > self._is.tails:
            fall = self._is.leave_crisis_drawdown if regime == CRISIS else self._is.crisis_drawdown
            return CRISIS if now.drawdown <= fall else HIGH_VOLATILITY
        entering = self._entering(now)
        if now.trend >= (self._is.leave_trend if regime == BULL else entering):
            return BULL
        if -now.trend >= (self._is.leave_trend if regime == BEAR else entering):
            return BEAR
        return SIDEWAYS

    def _entering(self, now: _Figures) -> float:
        return self._is.trend if now.order <= self._is.orderly else self._is.disorderly_trend

    def _confidence(self, now: _Figures) -> float:
        regime = self._confirmation.regime
        unrest = strength_share(now.divergence / self._is.divergence)
        if regime == CRISIS:
            return (unrest + strength_share(now.drawdown / self._is.crisis_drawdown)) / 2
        if regime == HIGH_VOLATILITY:
            return unrest
        if regime in {BULL, BEAR}:
            return strength_share((1 if regime == BULL else -1) * now.trend / self._entering(now))
        if regime == SIDEWAYS:
            return strength_share(self._entering(now) / abs(now.trend) if now.trend else math.inf)
        return 0.0

    def _reason(self, now: _Figures, before: str) -> str:
        return (
            f"{before} to {self._confirmation.regime}: divergence {now.divergence:.2f} with {now.tails:.0%} in the"
            f" tails, permutation entropy {now.order:.3f}, trend {now.trend:+.2f}, drawdown {now.drawdown:.1%}, for"
            f" {self._is.confirmation} bars"
        )
