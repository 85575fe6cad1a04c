"""Risk figures of a book, pure: returns, drawdown, volatility, Sharpe, value at risk, exposure."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import Any, Final

from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from portfolio_manager.accounting import exact_sum

__all__ = [
    "DAYS_PER_YEAR",
    "annualized_return",
    "annualized_volatility",
    "correlation_risk",
    "gross_exposure",
    "largest_position",
    "max_drawdown",
    "returns_of",
    "sharpe_ratio",
    "sortino_ratio",
    "total_return",
    "value_at_risk",
    "value_at_risk_amount",
]

# Trading days of a year; every annualised figure uses it, and a risk-free rate of 0.
DAYS_PER_YEAR: Final = 252
# One day in twenty: the usual tail of a daily value at risk.
VAR_TAIL: Final = 0.05
# Below this many returns the tail of 5 % is not even one observation, and a correlation is noise.
RETURNS_MIN: Final = 20
# A quantile of returns is a measurement: money made of it is no more exact than this.
VAR_STEP: Final = Decimal("0.000001")


def returns_of(equity: Sequence[Decimal]) -> list[float]:
    """
    Return the simple daily returns of an equity curve, one fewer than its points.

    A book that was worth nothing or less on a day has no returns from there: the list is then empty, and
    every figure made of it undefined.
    """
    if any(value <= ZERO for value in equity[:-1]):
        return []
    return [float(later / earlier) - 1.0 for earlier, later in pairwise(equity)]


def total_return(equity: Sequence[Decimal]) -> float | None:
    """Return last / first - 1, or None without two points or from a start that is not positive."""
    if len(equity) < 2 or equity[0] <= ZERO:
        return None
    return float(CONTEXT.divide(equity[-1], equity[0]) - 1)


def annualized_return(returns: Sequence[float]) -> float | None:
    """Return the compound growth per 252 days, or None without returns or after a total loss."""
    if not returns or min(returns) <= -1:
        return None
    return _figure("annual_return", returns, annualization=DAYS_PER_YEAR)


def annualized_volatility(returns: Sequence[float]) -> float | None:
    """Return the sample deviation of daily returns times sqrt(252), or None below two returns."""
    return _figure("annual_volatility", returns, annualization=DAYS_PER_YEAR) if len(returns) >= 2 else None


def sharpe_ratio(returns: Sequence[float]) -> float | None:
    """
    Return mean / sample deviation of daily returns times sqrt(252), risk-free rate 0.

    None where it is undefined: below two returns, or when all are equal. Source: W. F. Sharpe, "The
    Sharpe ratio", Journal of Portfolio Management (1994).
    """
    if len(returns) < 2 or min(returns) == max(returns):
        return None
    return _figure("sharpe_ratio", returns, annualization=DAYS_PER_YEAR)


def sortino_ratio(returns: Sequence[float]) -> float | None:
    """Return the annual mean return over the annual downside deviation, or None when no day lost."""
    if len(returns) < 2 or min(returns) >= 0:
        return None
    return _figure("sortino_ratio", returns, annualization=DAYS_PER_YEAR)


def max_drawdown(equity: Sequence[Decimal]) -> float | None:
    """
    Return the deepest fall from a high, as a fraction of it: from -1 to 0, lower only for a book in debt.

    Taken from the values and not from returns, so that it is defined after a total loss too; None
    without a value or from a start that is not positive.
    """
    if not equity or equity[0] <= ZERO:
        return None
    high, deepest = equity[0], ZERO
    for value in equity:
        high = max(high, value)
        deepest = min(deepest, CONTEXT.divide(value - high, high))
    return float(deepest)


def value_at_risk(returns: Sequence[float], *, tail: float = VAR_TAIL) -> float | None:
    """
    Return the historical one-day value at risk: the loss, as a positive fraction, that `tail` of the days exceeded.

    The quantile is interpolated linearly between the sorted returns. 0 when even that day made no loss;
    None below 20 returns.

    Raises:
        RejectedRecordError: `tail` is not between 0 and 1.
    """
    if not 0 < tail < 1:
        raise RejectedRecordError("tail", tail, "between 0 and 1")
    if len(returns) < RETURNS_MIN:
        return None
    ordered = sorted(returns)
    place = tail * (len(ordered) - 1)
    below = math.floor(place)
    step = ordered[min(below + 1, len(ordered) - 1)] - ordered[below]
    return max(0.0, -(ordered[below] + step * (place - below)))


def value_at_risk_amount(returns: Sequence[float], value: Decimal, *, tail: float = VAR_TAIL) -> Decimal | None:
    """Return `value_at_risk` as money on a book of `value`, rounded to 6 decimals; None where it is undefined."""
    fraction = value_at_risk(returns, tail=tail)
    if fraction is None:
        return None
    return max(ZERO, CONTEXT.quantize(CONTEXT.multiply(value, Decimal(repr(fraction))), VAR_STEP))


def gross_exposure(values: Iterable[Decimal]) -> Decimal:
    """Return the sum of the absolute market values of positions: long and short both count."""
    return exact_sum(value.copy_abs() for value in values)


def largest_position(values: Iterable[Decimal]) -> Decimal:
    """Return the largest absolute market value of a position, 0 without any."""
    return max((value.copy_abs() for value in values), default=ZERO)


def correlation_risk(returns_by_symbol: Mapping[str, Sequence[float]]) -> float | None:
    """
    Return the mean Pearson correlation over all pairs of symbols, -1..1.

    Args:
        returns_by_symbol: returns of the same days, aligned at their end. Symbols with fewer than 20 are
            left out, and so are those that did not move; the shortest of the rest decides the period.

    None below two such symbols: then there is nothing that could move together.
    """
    import numpy as np

    long_enough = [returns for returns in returns_by_symbol.values() if len(returns) >= RETURNS_MIN]
    days = min(map(len, long_enough), default=0)
    moving = [recent for returns in long_enough if min(recent := returns[-days:]) != max(recent)]
    if len(moving) < 2:
        return None
    count = len(moving)
    # Moves too small to square are divided by zero there, and answered with NaN.
    with np.errstate(all="ignore"):
        correlations = np.corrcoef(np.asarray(moving, dtype=float))
    mean = float((correlations.sum() - count) / (count * (count - 1)))
    # Rounding can leave 1.0000000000000002, which no column of correlations takes.
    return max(-1.0, min(1.0, mean)) if math.isfinite(mean) else None


def _figure(name: str, returns: Sequence[float], **options: Any) -> float | None:
    """Return one figure of empyrical, or None where it says NaN or infinity."""
    import numpy as np

    with warnings.catch_warnings():
        # It warns of divisions it has already answered with NaN.
        warnings.simplefilter("ignore")
        figure = float(getattr(_empyrical(), name)(np.asarray(returns, dtype=float), **options))
    return figure if math.isfinite(figure) else None


@cache
def _empyrical() -> ModuleType:
    # Imported at first use: it brings pandas and SciPy, two seconds that loggers need not wait for.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import empyrical

    return empyrical  # type: ignore[no-any-return]  # it ships no types
