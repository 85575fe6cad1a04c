"""
How two series of closes hang together: hedge ratio, cointegration, half-life, correlation, stability.

Measurements, so floats. Everything here sees the closes it is given and no others: an estimate "as of" a moment is
one of the closes up to it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from friren.errors import RejectedRecordError
from trading_engine.extras import require_extra

__all__ = ["OBSERVATIONS_MIN", "Line", "PairEstimate", "cointegration_of", "estimate_pair", "fit_line", "stability_of"]

Closes = NDArray[np.float64]

# Fewer say nothing about a unit root.
OBSERVATIONS_MIN: Final = 60
# Stability is looked at in windows of half the bars, one begun every tenth of such a window.
WINDOW_SHARE: Final = 2
WINDOW_STEPS: Final = 10


@dataclass(frozen=True, slots=True)
class Line:
    """The least squares line first = intercept + slope × second, and its residual, the spread less the intercept."""

    slope: float
    intercept: float


@dataclass(frozen=True, slots=True)
class PairEstimate:
    """
    What the closes of a pair say. The spread is first - hedge_ratio × second.

    Attributes:
        observations: closes of each.
        hedge_ratio, intercept: of the least squares line with a constant.
        t_statistic, pvalue: of the test of Engle and Granger that the two are not cointegrated.
        half_life: bars in which the spread comes back half of the way; None when it does not come back.
        correlation: of the changes from bar to bar; None where one of them never changes.
        stability: 0..1, higher is more stable, see `stability_of`; None below two windows.
    """

    observations: int
    hedge_ratio: float
    intercept: float
    t_statistic: float
    pvalue: float
    half_life: float | None
    correlation: float | None
    stability: float | None


def estimate_pair(first: Sequence[float], second: Sequence[float]) -> PairEstimate:
    """
    Estimate a pair from its closes, oldest first, of the same moments.

    Source: R. F. Engle, C. W. J. Granger, "Co-integration and error correction", Econometrica 55 (1987).

    Raises:
        RejectedRecordError: fewer than OBSERVATIONS_MIN closes, not as many of both, not finite, or one that
            never changes.
        ConfigurationError: statsmodels is not installed.
    """
    one, other = _checked(first, second)
    line = fit_line(one, other)
    t_statistic, pvalue = cointegration_of(one, other)
    return PairEstimate(
        observations=len(one),
        hedge_ratio=line.slope,
        intercept=line.intercept,
        t_statistic=t_statistic,
        pvalue=pvalue,
        half_life=_half_life(one - line.slope * other),
        correlation=_correlation(np.diff(one), np.diff(other)),
        stability=stability_of(one, other),
    )


def fit_line(first: Closes, second: Closes) -> Line:
    """Return the least squares line of `first` on `second`, with a constant. `second` must vary."""
    centre_1, centre_2 = float(first.mean()), float(second.mean())
    deviation = second - centre_2
    slope = float(deviation @ (first - centre_1) / (deviation @ deviation))
    return Line(slope, centre_1 - slope * centre_2)


def cointegration_of(first: Closes, second: Closes) -> tuple[float, float]:
    """Return t and p of statsmodels' `coint` with its defaults: a constant, lags chosen by AIC."""
    tools = require_extra("statsmodels.tsa.stattools", extra="pairs", wanted_by="the analysis of pairs")
    with warnings.catch_warnings():
        # Closes that are one line of the other: t is -inf and p is 0, which says it.
        warnings.simplefilter("ignore")
        t_statistic, pvalue, _critical = tools.coint(first, second)
    return float(t_statistic), float(pvalue)


def stability_of(first: Closes, second: Closes) -> float | None:
    """
    Return how alike the hedge ratios of rolling windows are: 1 / (1 + deviation / |mean|), 1 when they are equal.

    Windows of half the closes, begun every tenth of a window. None where no two windows vary, 0 for a mean of 0.
    """
    width = len(first) // WINDOW_SHARE
    step = max(1, width // WINDOW_STEPS)
    begins = range(0, len(first) - width + 1, step)
    windows = [(first[begin : begin + width], second[begin : begin + width]) for begin in begins]
    slopes = np.array([fit_line(one, other).slope for one, other in windows if np.ptp(other) > 0])
    if len(slopes) < 2:
        return None
    mean = abs(float(slopes.mean()))
    return mean / (mean + float(slopes.std())) if mean else 0.0


def _half_life(spread: Closes) -> float | None:
    """Return -ln 2 / slope of the changes of the spread on the spread before them, with a constant."""
    if np.ptp(spread) == 0:
        return None
    slope = fit_line(np.diff(spread), spread[:-1]).slope if np.ptp(spread[:-1]) > 0 else 0.0
    return -math.log(2) / slope if slope < 0 else None


def _correlation(changes_1: Closes, changes_2: Closes) -> float | None:
    if np.ptp(changes_1) == 0 or np.ptp(changes_2) == 0:
        return None
    found: Any = np.corrcoef(changes_1, changes_2)[0, 1]
    return float(min(1.0, max(-1.0, found)))


def _checked(first: Sequence[float], second: Sequence[float]) -> tuple[Closes, Closes]:
    if len(first) != len(second):
        raise RejectedRecordError("closes", (len(first), len(second)), "as many of one symbol as of the other")
    if len(first) < OBSERVATIONS_MIN:
        raise RejectedRecordError("closes", len(first), f"at least {OBSERVATIONS_MIN} that both symbols have")
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    for closes in (one, other):
        if not np.isfinite(closes).all():
            raise RejectedRecordError("closes", "not finite", "finite numbers")
        if np.ptp(closes) == 0:
            raise RejectedRecordError("closes", float(closes[0]), "must change at least once")
    return one, other
