"""Real bars for a first run: the S&P 500, NASDAQ and VIX files that the package `arch` carries."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import importlib.util
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from friren.errors import ConfigurationError
from trading_engine.data.bars import Bar
from trading_engine.regime import VixCloses

__all__ = ["SAMPLE_INDICES", "sample_series", "sample_vix"]

# Ticker here → data set of arch: daily, 1999-01-04 to 2018-12-31, from Yahoo.
SAMPLE_INDICES: Final = {"NASDAQ": "nasdaq", "SP500": "sp500"}
SOURCE: Final = "arch"
_DATE: Final = "%m/%d/%Y"


def sample_series() -> dict[str, list[Bar]]:
    """
    Return daily bars of both indices by ticker, oldest first, 5031 each.

    The files are read as text and not through pandas: their prices stay the decimals they were written as.

    Raises:
        ConfigurationError: the package arch is not installed, or has no such file.
    """
    return {ticker: [_bar(ticker, row) for row in _rows(name)] for ticker, name in SAMPLE_INDICES.items()}


def sample_vix() -> VixCloses:
    """
    Return VIX closes from 2014-01-03 to 2019-01-03; days the file leaves empty are left out.

    Raises:
        ConfigurationError: see `sample_series`.
    """
    closes: dict[dt.date, float] = {}
    for row in _rows("vix"):
        try:
            closes[_day(row["Date"]).date()] = float(Decimal(row["vix"]))
        except InvalidOperation:  # "." is how the source writes a holiday
            continue
    return VixCloses(closes)


def _rows(name: str) -> Iterator[dict[str, str]]:
    path = _file(name)
    try:
        with gzip.open(path, "rt", encoding="ascii", newline="") as stream:
            yield from csv.DictReader(stream)
    except OSError as exc:
        raise ConfigurationError(f"the sample bars cannot be read: {path} ({exc.strerror or exc})") from exc


def _file(name: str) -> Path:
    # Found and not imported: importing arch takes two seconds and brings SciPy and statsmodels.
    spec = importlib.util.find_spec("arch")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError("the sample bars come with the package arch: install the extra friren[demo]")
    return Path(spec.submodule_search_locations[0], "data", name, f"{name}.csv.gz")


def _bar(ticker: str, row: dict[str, str]) -> Bar:
    return Bar(
        symbol=ticker,
        timestamp=_day(row["Date"]),
        timeframe="1d",
        open=Decimal(row["Open"]),
        high=Decimal(row["High"]),
        low=Decimal(row["Low"]),
        close=Decimal(row["Close"]),
        volume=Decimal(row["Volume"]),
        adjusted_close=Decimal(row["Adj Close"]),
        source=SOURCE,
    )


def _day(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, _DATE).replace(tzinfo=dt.UTC)
