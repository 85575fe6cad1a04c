"""
Indicators of a series of bars, pure: what is shown of a symbol beside its last candle.

J. Welles Wilder, New Concepts in Technical Trading Systems (1978), for RSI and ATR: averages begin as the plain mean of
the first values and go on as (previous · (n − 1) + new) / n. Gerald Appel's MACD: the exponential average of 12 closes
less that of 26, each beginning as the plain mean. Only bars that are given are looked at, the last one is the present.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

from friren.core.numbers import CONTEXT, ZERO, quantize

__all__ = ["BARS_WANTED", "Indicators", "indicators_of"]

# What a 200-day average needs, and enough for Wilder's averages to have forgotten where they began.
BARS_WANTED: Final = 260
RSI_PLACES: Final = Decimal("0.0001")
PERIOD: Final = 14


class _Bar(Protocol):
    high: Decimal
    low: Decimal
    close: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicators:
    """
    What the last bar comes to; None where there are too few bars for it.

    Attributes:
        rsi_14: 0 to 100, four decimals.
        sma_50, sma_200, macd, atr: in units of the price.
    """

    rsi_14: Decimal | None
    sma_50: Decimal | None
    sma_200: Decimal | None
    macd: Decimal | None
    atr: Decimal | None


def indicators_of(bars: Sequence[_Bar]) -> Indicators:
    """Return the indicators of bars, oldest first."""
    closes = [bar.close for bar in bars]
    fast, slow = _exponential(closes, 12), _exponential(closes, 26)
    return Indicators(
        rsi_14=_rsi(closes),
        sma_50=_rounded(_mean(closes[-50:])) if len(closes) >= 50 else None,
        sma_200=_rounded(_mean(closes[-200:])) if len(closes) >= 200 else None,
        macd=None if fast is None or slow is None else _rounded(CONTEXT.subtract(fast, slow)),
        atr=_rounded(_wilder(_true_ranges(bars))),
    )


def _rsi(closes: Sequence[Decimal]) -> Decimal | None:
    moves = [CONTEXT.subtract(after, before) for before, after in itertools.pairwise(closes)]
    gain = _wilder([max(move, ZERO) for move in moves])
    loss = _wilder([max(move.copy_negate(), ZERO) for move in moves])
    if gain is None or loss is None:
        return None
    both = CONTEXT.add(gain, loss)
    # Nothing moved: neither side is stronger.
    share = CONTEXT.divide(gain, both) if both else Decimal("0.5")
    return CONTEXT.multiply(share, Decimal(100)).quantize(RSI_PLACES, context=CONTEXT)


def _true_ranges(bars: Sequence[_Bar]) -> list[Decimal]:
    found = []
    for before, bar in itertools.pairwise(bars):
        highest, lowest = max(bar.high, before.close), min(bar.low, before.close)
        found.append(CONTEXT.subtract(highest, lowest))
    return found


def _wilder(values: Sequence[Decimal]) -> Decimal | None:
    if len(values) < PERIOD:
        return None
    average = _mean(values[:PERIOD])
    for value in values[PERIOD:]:
        held = CONTEXT.multiply(average, Decimal(PERIOD - 1))
        average = CONTEXT.divide(CONTEXT.add(held, value), Decimal(PERIOD))
    return average


def _exponential(values: Sequence[Decimal], period: int) -> Decimal | None:
    if len(values) < period:
        return None
    average, weight = _mean(values[:period]), CONTEXT.divide(Decimal(2), Decimal(period + 1))
    for value in values[period:]:
        average = CONTEXT.add(average, CONTEXT.multiply(weight, CONTEXT.subtract(value, average)))
    return average


def _mean(values: Sequence[Decimal]) -> Decimal:
    total = ZERO
    for value in values:
        total = CONTEXT.add(total, value)
    return CONTEXT.divide(total, Decimal(len(values)))


def _rounded(value: Decimal | None) -> Decimal | None:
    return None if value is None else quantize(value)
