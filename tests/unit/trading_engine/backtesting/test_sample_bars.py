"""The sample bars are the real ones, as the package that carries them wrote them."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from importlib import util

import pytest

from friren.errors import ConfigurationError
from trading_engine.backtesting.sample_bars import sample_series, sample_vix


def test_both_indices_have_every_trading_day_of_twenty_years():
    series = sample_series()

    assert {ticker: len(bars) for ticker, bars in series.items()} == {"NASDAQ": 5031, "SP500": 5031}
    for bars in series.values():
        assert bars[0].timestamp == dt.datetime(1999, 1, 4, tzinfo=dt.UTC)
        assert bars[-1].timestamp == dt.datetime(2018, 12, 31, tzinfo=dt.UTC)
        assert all(one.timestamp < following.timestamp for one, following in itertools.pairwise(bars))


def test_prices_are_the_decimals_of_the_file_and_not_floats():
    bar = sample_series()["SP500"][0]

    assert (bar.open, bar.close) == (Decimal("1229.22998"), Decimal("1228.099976"))
    assert (bar.volume, bar.source, bar.timeframe) == (877_000_000, "arch", "1d")


def test_the_vix_leaves_its_holidays_out():
    vix = sample_vix()

    assert vix.at(dt.date(2014, 1, 2)) is None
    assert vix.at(dt.date(2014, 1, 3)) == 13.76
    # 2014-01-20 is a holiday in the file: the close of the Friday before stands.
    assert vix.at(dt.date(2014, 1, 20)) == vix.at(dt.date(2014, 1, 17))


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(util, "find_spec", lambda name: None)

    with pytest.raises(ConfigurationError, match=r"install the extra friren\[demo\]"):
        sample_series()
