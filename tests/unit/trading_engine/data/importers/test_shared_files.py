"""Every price file of the shared data gives the rows, sums and faults that its manifest states."""

import datetime as dt
from collections import Counter
from decimal import Decimal
from itertools import chain
from typing import NamedTuple

import pytest

from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.importers.price_files import read_prices


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


class Expected(NamedTuple):
    name: str
    symbol: str | None
    timeframe: str
    rows: int
    first: str
    last: str
    closes: str
    volumes: str
    suspect: int = 0


CLEAN_CSV = [
    Expected(
        "ohlcv/aapl_daily_2004_2018.yahoo.csv",
        "aapl",
        "1d",
        3379,
        "2004-08-19",
        "2018-01-19",
        "199542.706998",
        "456990118500",
    ),
    Expected(
        "ohlcv/aapl_daily_2015_2017.plotly.csv",
        "aapl",
        "1d",
        506,
        "2015-02-17",
        "2017-02-16",
        "57156.919894",
        "21848281000",
    ),
    Expected(
        "ohlcv/btcusd_daily_2017_2021.csv",
        "btcusd",
        "1d",
        1246,
        "2017-08-16",
        "2021-01-12",
        "11012467.970000",
        "56629734.627431",
    ),
    Expected(
        "ohlcv/other_daily_2017_2018.csv", "other", "1d", 502, "2017-01-03", "2018-12-31", "158538.170000", "3751772409"
    ),
    Expected(
        "ohlcv/spy_1min_20201215_18.csv",
        "spy",
        "1m",
        1564,
        "2020-12-15T09:30",
        "2020-12-18T16:00",
        "578056.231200",
        "164703125",
    ),
    Expected(
        "ohlcv/spy_daily_2008_2017.yahoo.csv",
        "spy",
        "1d",
        2519,
        "2007-12-31",
        "2017-12-29",
        "406571.140076",
        "415022873400",
        2,
    ),
    Expected(
        "ohlcv/spy_daily_2017_2018.csv", "spy", "1d", 502, "2017-01-03", "2018-12-31", "125280.560000", "43756291048"
    ),
    Expected(
        "ohlcv/yahoo/ALPHA-PA-1d-bad-stock-split-fixed.csv",
        None,
        "1d",
        29,
        "2023-04-20",
        "2023-05-31",
        "36.494000",
        "5957931",
    ),
    Expected(
        "ohlcv/yahoo/ALPHA-PA-1d-bad-stock-split.csv",
        None,
        "1d",
        29,
        "2023-04-20",
        "2023-05-31",
        "35.494100",
        "711286959",
    ),
    Expected(
        "ohlcv/yahoo/ASAI-L-1h-bad-unit-fixed.csv",
        None,
        "1h",
        20,
        "2024-10-21T09:00",
        "2024-10-30T14:00",
        "1314.365004",
        "144398",
    ),
    Expected(
        "ohlcv/yahoo/ASAI-L-1h-bad-unit.csv",
        None,
        "1h",
        20,
        "2024-10-21T09:00",
        "2024-10-30T14:00",
        "1254.965002",
        "144398",
    ),
    Expected(
        "ohlcv/yahoo/CALM-1d-no-bad-divs.csv", None, "1d", 662, "2022-01-03", "2024-08-21", "35269.869968", "513809100"
    ),
    Expected(
        "ohlcv/yahoo/EA-15m-no-bad-divs.csv",
        None,
        "15m",
        319,
        "2026-05-26T08:00",
        "2026-06-03T18:15",
        "64270.652857",
        "8343638",
    ),
    Expected("regime/vix_daily_1990_2026.csv", "vix", "1d", 9235, "1990-01-02", "2026-07-23", "179550.590000", "0", 47),
]
# The sums of equity files are of the raw figures, which are prices × 10000.
LEAN = [
    Expected(
        "ohlcv/lean/crypto/btcusd_daily_trade.zip",
        "btcusd",
        "1d",
        1318,
        "2014-12-01",
        "2018-08-13",
        "3725052.03",
        "13431456.041308",
    ),
    Expected(
        "ohlcv/lean/crypto/minute_btcusd_20180404_trade.zip",
        "btcusd",
        "1m",
        1007,
        "2018-04-04T00:00",
        "2018-04-04T16:47",
        "7237104.22",
        "9190.964764",
    ),
    Expected(
        "ohlcv/lean/crypto/minute_btcusd_20180405_trade.zip",
        "btcusd",
        "1m",
        1440,
        "2018-04-05T00:00",
        "2018-04-05T23:59",
        "9726091.58",
        "13832.668772",
    ),
    Expected(
        "ohlcv/lean/daily/aapl.zip", "aapl", "1d", 5849, "1998-01-02", "2021-03-31", "962580.8950", "138011953186"
    ),
    Expected("ohlcv/lean/daily/ibm.zip", "ibm", "1d", 5849, "1998-01-02", "2021-03-31", "758583.4150", "33533064042"),
    Expected("ohlcv/lean/daily/spy.zip", "spy", "1d", 5849, "1998-01-02", "2021-03-31", "958679.5100", "523995767985"),
    Expected(
        "ohlcv/lean/minute/spy/20131007_trade.zip",
        "spy",
        "1m",
        828,
        "2013-10-07T08:00",
        "2013-10-07T23:59",
        "138842.2200",
        "92720576",
    ),
    Expected(
        "ohlcv/lean/minute/spy/20131008_trade.zip",
        "spy",
        "1m",
        828,
        "2013-10-08T08:00",
        "2013-10-08T23:59",
        "137806.5300",
        "175026101",
    ),
    Expected(
        "ohlcv/lean/minute/spy/20131009_trade.zip",
        "spy",
        "1m",
        813,
        "2013-10-09T08:00",
        "2013-10-09T23:59",
        "134683.5100",
        "158425072",
    ),
    Expected(
        "ohlcv/lean/minute/spy/20131010_trade.zip",
        "spy",
        "1m",
        883,
        "2013-10-10T08:00",
        "2013-10-10T23:59",
        "148301.0900",
        "190932679",
    ),
    Expected(
        "ohlcv/lean/minute/spy/20131011_trade.zip",
        "spy",
        "1m",
        776,
        "2013-10-11T08:00",
        "2013-10-11T23:59",
        "131694.1500",
        "100204943",
    ),
]
NO_BARS = [
    "ohlcv/lean/factor_files/aapl.csv",
    "ohlcv/lean/factor_files/ibm.csv",
    "ohlcv/lean/factor_files/spy.csv",
    "pairs/spy_close_1993_2019.csv",
    "pairs/us20_close_1989_2018.csv",
    "pairs/xlf_xlk_2018_2020.csv",
    "regime/shiller_sp500_monthly.csv",
    "regime/us_interest_rate.csv",
]


def to_six(value):
    return value.quantize(Decimal("0.000001"))


@pytest.mark.parametrize("expected", [*CLEAN_CSV, *LEAN], ids=lambda case: case.name)
def test_a_whole_file_gives_every_row(shared_data, expected):
    parsed = read_prices(shared_data / expected.name)

    bars = list(parsed.bars())

    assert [issue for issue in parsed.issues if issue.rejected] == []
    assert len(bars) == expected.rows
    assert {bar.timeframe for bar in bars} == {parsed.timeframe} == {expected.timeframe}
    assert {bar.symbol for bar in bars} == {expected.symbol or parsed.symbol}
    assert (bars[0].timestamp, bars[-1].timestamp) == (at(expected.first), at(expected.last))
    assert to_six(sum(bar.close for bar in bars)) == to_six(Decimal(expected.closes))
    assert to_six(sum(bar.volume for bar in bars)) == to_six(Decimal(expected.volumes))
    assert sum(bar.is_suspect for bar in bars) == expected.suspect
    assert len({bar.timestamp for bar in bars}) == expected.rows


def test_the_made_faulty_file_gives_its_good_rows_and_names_every_other_by_line(shared_data):
    parsed = read_prices(shared_data / "ohlcv/bad_daily.csv")

    bars = list(parsed.bars())

    assert len(bars) + len(parsed.issues) == 502
    assert all(issue.rejected for issue in parsed.issues)
    by_line = {issue.line: (issue.field, issue.value) for issue in parsed.issues}
    assert len(by_line) == len(parsed.issues) == 105
    without_date = range(202, 252)
    assert {by_line[line] for line in without_date} == {("timestamp", "")}
    # 51 rows with empty prices: lines 451 to 501.
    assert {by_line[line] for line in range(451, 502)} == {("open", "")}
    assert by_line[358] == ("high", "-266.1")
    assert by_line[360] == ("volume", "-64874192")
    assert by_line[362] == ("high", "255.06")
    assert by_line[363] == ("high", "270.15")
    # Of the 12 rows outside low..high three have their high below their low; nine are kept and marked.
    assert sum(bar.is_suspect for bar in bars) == 9
    assert bars[0].timestamp == at("2017-01-03")
    assert bars[-1].timestamp == at("2018-12-31")


def test_the_closes_of_kept_and_refused_rows_together_are_those_of_the_file(shared_data):
    path = shared_data / "ohlcv/bad_daily.csv"
    parsed = read_prices(path)
    kept = sum(bar.close for bar in parsed.bars())
    lines = path.read_text().splitlines()
    refused = [lines[issue.line - 1].split(",")[4] for issue in parsed.issues]

    total = kept + sum(Decimal(text) for text in refused if text)

    # The manifest added binary floats: the last figure is theirs.
    assert abs(total - Decimal("1189432494.991632")) < Decimal("0.000001")


def test_dates_that_read_both_ways_are_asked_for(shared_data):
    path = shared_data / "ohlcv/sp500_1min_201911.csv"

    with pytest.raises(UnreadableFileError, match=r"11/5/2019 9:30.*--date-format DMY or MDY"):
        read_prices(path)


def test_columns_in_another_order_end_in_their_places(shared_data):
    parsed = read_prices(shared_data / "ohlcv/sp500_1min_201911.csv", date_format="MDY", timezone="America/New_York")

    bars = list(parsed.bars())

    assert (len(bars), parsed.issues, parsed.timeframe) == (1563, [], "1m")
    assert bars[0].timestamp == at("2019-11-05T14:30")
    assert bars[-1].timestamp == at("2019-11-08T20:59")
    first = bars[0]
    assert (first.open, first.high, first.low, first.close) == tuple(
        map(Decimal, ("3080.8", "3081.47", "3080.3", "3080.49"))
    )
    assert sum(bar.close for bar in bars) == Decimal("4816445.17")
    assert sum(bar.is_suspect for bar in bars) == 0


def test_floats_that_are_too_long_are_rounded_and_noted(shared_data):
    parsed = read_prices(shared_data / "ohlcv/yahoo/ALPHA-PA-1d-bad-stock-split.csv")

    list(parsed.bars())

    assert {issue.line for issue in parsed.issues} == {13}
    assert [issue.field for issue in parsed.issues] == ["open", "high", "low", "close", "adjusted_close"]
    assert not any(issue.rejected for issue in parsed.issues)


def test_minutes_of_new_york_add_up_to_the_day(shared_data):
    days = ["20131007", "20131008", "20131009", "20131010", "20131011"]
    files = [read_prices(shared_data / f"ohlcv/lean/minute/spy/{day}_trade.zip") for day in days]
    session = Counter()
    # 09:30 to 16:00 in New York, which kept summer time (UTC-4) that week.
    for bar in chain.from_iterable(parsed.bars() for parsed in files):
        if dt.time(13, 30) <= bar.timestamp.time() < dt.time(20):
            session[f"{bar.timestamp:%Y%m%d}"] += bar.volume
    whole = read_prices(shared_data / "ohlcv/lean/daily/spy.zip")
    daily = {f"{bar.timestamp:%Y%m%d}": bar.volume for bar in whole.bars()}

    assert [session[day] for day in days] == [81489219, 153859703, 143898404, 157839488, 88751455]
    assert [daily[day] for day in days] == [session[day] for day in days]


@pytest.mark.parametrize("name", NO_BARS)
def test_a_file_that_holds_no_bars_is_told_so(shared_data, name):
    with pytest.raises(UnreadableFileError, match="no OHLC columns"):
        read_prices(shared_data / name)


def test_a_file_of_bars_can_be_walked_twice(shared_data):
    parsed = read_prices(shared_data / "ohlcv/spy_daily_2017_2018.csv")

    assert list(parsed) == list(parsed)
