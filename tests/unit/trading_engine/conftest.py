"""Bars made of a few numbers, for everything that is fed bars."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from trading_engine.data.bars import Bar

FIRST_DAY = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def make_bars():
    """Return a function: closes in, one daily bar each out; open, high and low are the close unless given."""

    def make(closes, *, symbol="AAA", start=FIRST_DAY, opens=None, highs=None, lows=None, every=dt.timedelta(days=1)):
        timeframe = "1d" if every >= dt.timedelta(days=1) else "1h"
        opens, highs, lows = opens or closes, highs or closes, lows or closes
        return [
            Bar(symbol, start + index * every, timeframe, *(Decimal(str(value)) for value in values))
            for index, values in enumerate(zip(opens, highs, lows, closes, strict=True))
        ]

    return make


@pytest.fixture(scope="session")
def make_bars_plain():
    """Return a function: closes in, daily bars out. Of session scope, as Hypothesis asks of fixtures."""

    def make(closes, symbol="AAA"):
        return [
            Bar(symbol, FIRST_DAY + dt.timedelta(days=index), "1d", close, close, close, close)
            for index, close in enumerate(map(Decimal, closes))
        ]

    return make
