"""DataFrames of several libraries become bars; what is no bar keeps its position and reason."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from friren.errors import RejectedRecordError
from trading_engine.data.bars import Bar
from trading_engine.data.frames import bars_of_frame, is_frame
from trading_engine.data.importers.parsed import UnreadableFileError

DAYS = pd.to_datetime(["2024-01-02", "2024-01-03"])
PRICES = {"Open": [1.0, 1.5], "High": [3.0, 3.0], "Low": [0.5, 0.5], "Close": [2.0, 2.5]}


def read(frame, **options):
    rows = list(bars_of_frame(frame, **{"symbol": "SPY", "source": "test"} | options))
    assert [position for position, _ in rows] == list(range(len(frame)))
    return [row for _, row in rows]


def test_stamps_may_stand_in_the_index():
    first, second = read(pd.DataFrame(PRICES | {"Volume": [7, 8]}, index=DAYS))

    assert first == Bar(
        "SPY", dt.datetime(2024, 1, 2, tzinfo=dt.UTC), "1d",
        Decimal(1), Decimal(3), Decimal("0.5"), Decimal(2), Decimal(7), None, "test",
    )  # fmt: skip
    assert second.volume == 8


def test_stamps_may_stand_in_a_column_as_text_or_dates():
    text = pd.DataFrame({"date": ["2024-01-02", "2024-01-03"]} | PRICES)
    days = pd.DataFrame({"date": [dt.date(2024, 1, 2), dt.date(2024, 1, 3)]} | PRICES)

    assert read(text) == read(days) == read(pd.DataFrame(PRICES, index=DAYS))


def test_the_pairs_of_yfinance_are_told_apart_by_ticker():
    columns = pd.MultiIndex.from_product([["Close", "High", "Low", "Open", "Volume"], ["AAPL", "MSFT"]])
    frame = pd.DataFrame([[2, 20, 3, 30, 0.5, 5, 1, 10, 7, 70]] * 2, index=DAYS, columns=columns)

    assert [bar.close for bar in read(frame, symbol="MSFT")] == [20, 20]
    with pytest.raises(UnreadableFileError, match="several instruments"):
        read(frame)


def test_a_daily_stamp_is_the_date_it_shows_where_it_was_traded():
    bars = read(pd.DataFrame(PRICES, index=DAYS.tz_localize("Asia/Tokyo")))

    assert [bar.timestamp for bar in bars] == [dt.datetime(2024, 1, day, tzinfo=dt.UTC) for day in (2, 3)]


def test_an_intraday_stamp_becomes_utc_and_tells_the_timeframe():
    index = pd.to_datetime(["2024-01-02 09:30", "2024-01-02 09:31"]).tz_localize("America/New_York")

    bars = read(pd.DataFrame(PRICES, index=index))

    assert [(bar.timestamp.hour, bar.timeframe) for bar in bars] == [(14, "1m"), (14, "1m")]


def test_floats_are_measured_and_decimals_and_ints_kept():
    exact = Decimal("0.123456789012345678")
    row = {"open": 37.029998779296875, "high": np.float32(99.5), "low": exact, "close": np.int64(2), "volume": 2**62}
    frame = pd.DataFrame([row], index=DAYS[:1], dtype=object)

    (bar,) = read(frame)

    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (
        Decimal("37.0299987792969"), Decimal("99.5"), exact, 2, 2**62,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        ("Close", float("nan"), "close"),
        ("Close", None, "close"),
        ("Close", pd.NA, "close"),
        ("Close", True, "close"),
        ("Close", "2.5", "close"),
        ("Volume", -1, "volume"),
        ("Volume", float("nan"), "volume"),
        ("High", 0.1, "high"),
        ("date", pd.NaT, "timestamp"),
        ("date", "soon", "timestamp"),
        ("date", 5, "timestamp"),
        ("date", pd.Timestamp("2024-01-03 00:00:00.000000001"), "timestamp"),
    ],
)
def test_a_faulty_row_keeps_its_position_and_the_rest_is_read(column, value, field):
    frame = pd.DataFrame({"date": DAYS} | PRICES | {"Volume": [7, 8]}).astype(object)
    frame.loc[1, column] = value

    good, error = read(frame, timeframe="1d")

    assert isinstance(good, Bar)
    assert isinstance(error, RejectedRecordError)
    assert error.field == field


def test_a_missing_adjusted_close_is_none():
    bars = read(pd.DataFrame(PRICES | {"Adj Close": [1.9, float("nan")]}, index=DAYS))

    assert [bar.adjusted_close for bar in bars] == [Decimal("1.9"), None]


@pytest.mark.parametrize(
    ("frame", "rule"),
    [
        (pd.DataFrame({"close": [1.0]}, index=DAYS[:1]), "no open, high, low"),
        (pd.DataFrame(PRICES), "no column of dates"),
        (pd.DataFrame({"date": pd.to_datetime(["2024-01-02 09:30:00", "2024-01-02 09:30:07"])} | PRICES), "timeframe"),
    ],
)
def test_what_cannot_be_read_as_bars_is_told_so(frame, rule):
    with pytest.raises(UnreadableFileError, match=rule):
        read(frame)


def test_an_empty_frame_gives_nothing():
    assert read(pd.DataFrame(PRICES, index=DAYS).iloc[:0]) == []


def test_only_a_frame_is_a_frame():
    assert is_frame(pd.DataFrame())
    assert not is_frame([{}])
    assert not is_frame(pd.Series([1]))
