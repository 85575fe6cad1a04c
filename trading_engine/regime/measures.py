"""Measurements of a stretch of closes that several detectors judge by, and how a judgement is confirmed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from trading_engine.regime.readings import UNKNOWN

__all__ = ["BARS_PER_YEAR", "Confirmation", "deviation", "drawdown", "strength_share", "trend_score"]

BARS_PER_YEAR: Final = 252


def deviation(values: Sequence[float]) -> float:
    """Return the sample standard deviation; at least two values."""
    # Two passes in plain floats: statistics.stdev works in fractions and takes fifty times as long.
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def trend_score(log_closes: Sequence[float], *, usual: float) -> float:
    """
    Return how far the last close is from the mean of all, in what a random walk without drift would be.

    (ln close - mean ln close) / (usual * sqrt(n / 3)): the variance of a random walk about its own mean is n / 3 steps
    for large n. 0 where nothing moved.

    Args:
        usual: standard deviation of one step.
    """
    away = log_closes[-1] - math.fsum(log_closes) / len(log_closes)
    return away / (usual * math.sqrt(len(log_closes) / 3)) if usual else 0.0


def drawdown(log_closes: Sequence[float]) -> float:
    """Return the last close over the highest one, minus 1: 0 or negative."""
    return math.exp(log_closes[-1] - max(log_closes)) - 1


def strength_share(strength: float) -> float:
    """Return x / (1 + x) of a figure over its threshold: 0.5 exactly at it, 0 for nothing, towards 1 far above."""
    strength = max(strength, 0.0)
    return 1.0 if math.isinf(strength) else strength / (1 + strength)


class Confirmation:
    """
    A regime that changes only when several bars in a row say the same, so that it does not flicker.

    Attributes:
        regime: what stands, UNKNOWN at first.
    """

    def __init__(self, bars: int) -> None:
        """
        Args:
            bars: how many must agree, at least 1.
        """
        self.regime = UNKNOWN
        self._bars = bars
        self._candidate = UNKNOWN
        self._agreeing = 0

    def take(self, judged: str) -> str:
        """Take what a bar was judged to be; return what stood before it."""
        before = self.regime
        if judged == before:
            self._candidate, self._agreeing = judged, 0
            return before
        self._agreeing = self._agreeing + 1 if judged == self._candidate else 1
        self._candidate = judged
        if self._agreeing >= self._bars:
            self.regime, self._agreeing = judged, 0
        return before
