"""Indicators against published examples and by their own definitions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_engine.indicators import indicators_of

D = Decimal


@dataclass(frozen=True)
class Bar:
    high: Decimal
    low: Decimal
    close: Decimal


def flat(closes) -> list[Bar]:
    return [Bar(D(str(close)), D(str(close)), D(str(close))) for close in closes]


# The worked example of StockCharts' ChartSchool for RSI(14), closes and results to two places.
CLOSES = [44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931, 46.0328,
          45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439, 46.2122]  # fmt: skip
RSI = [70.53, 66.32, 66.55, 69.41, 66.36, 57.97, 62.93]


@pytest.mark.parametrize(("bars", "rsi"), list(zip(range(15, 22), RSI, strict=True)))
def test_rsi_is_that_of_the_published_example(bars: int, rsi: float) -> None:
    # Its own table was worked out from closes with more digits than it prints.
    assert abs(float(indicators_of(flat(CLOSES[:bars])).rsi_14) - rsi) < 0.06


def test_what_there_are_too_few_bars_for_is_not_known() -> None:
    found = indicators_of(flat(CLOSES[:14]))

    assert (found.rsi_14, found.sma_50, found.sma_200, found.macd, found.atr) == (None,) * 5


def test_averages_are_those_of_the_last_closes() -> None:
    found = indicators_of(flat(range(1, 261)))

    assert (found.sma_50, found.sma_200) == (D("235.5"), D("160.5"))
    # Of a straight line an exponential average lies (n − 1) / 2 behind: 12.5 − 5.5.
    assert abs(found.macd - 7) < D("1e-6")
    assert found.rsi_14 == 100
    assert found.atr == 1


def test_a_market_that_stands_still_is_neither_strong_nor_weak() -> None:
    found = indicators_of(flat([5] * 30))

    assert (found.rsi_14, found.macd, found.atr) == (50, 0, 0)


def test_a_gap_belongs_to_the_range() -> None:
    bars = [Bar(D(11), D(9), D(10))] * 14 + [Bar(D(21), D(19), D(20))]

    # 13 ranges of 2, and one from the close before, 10, to the high, 21.
    assert indicators_of(bars).atr == (D(13 * 2 + 11) / 14).quantize(D("1e-18"))


@given(st.lists(st.integers(1, 10**6), min_size=27, max_size=60))
def test_in_cents_everything_is_the_same(closes: list[int]) -> None:
    units, cents = indicators_of(flat(closes)), indicators_of(flat([close * 100 for close in closes]))

    assert units.rsi_14 == cents.rsi_14
    assert 0 <= units.rsi_14 <= 100
    assert abs(units.macd * 100 - cents.macd) < D("1e-12")
    assert abs(units.atr * 100 - cents.atr) < D("1e-12")
