"""What Yahoo answers, through yfinance's own parsing, ends as exact and finished bars or a typed error."""

import datetime as dt
import json
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import yfinance

from friren.errors import RejectedRecordError
from tests.unit.trading_engine.data.yahoo_stub import YahooStub, chart, recorded_bars, refusal
from trading_engine.data.stock_data_fetcher import (
    FetchError,
    RefusedRequestError,
    StockDataFetcher,
    UnknownSymbolError,
)

NEW_YORK = ZoneInfo("America/New_York")
LATER = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.fixture
def yahoo(tmp_path):
    # yfinance remembers time zones and cookies in SQLite files; each test begins without.
    yfinance.set_tz_cache_location(str(tmp_path))
    stub = YahooStub()
    yield stub
    stub.close()


@pytest.fixture
def waits():
    return []


@pytest.fixture
def fetcher(yahoo, waits):
    return StockDataFetcher(session=yahoo.session(), timeout=5, sleep=waits.append)


def row(day, close="2", **changes):
    return {
        "Date": day, "Open": "1", "High": "3", "Low": "0.5", "Close": close, "Adj Close": close, "Volume": "7",
    } | changes  # fmt: skip


class TestRecordedAnswers:
    def test_daily_bars_of_an_american_share(self, shared_data, yahoo, fetcher):
        rows = recorded_bars(shared_data / "ohlcv/yahoo/CALM-1d-no-bad-divs.csv")
        yahoo.answers["CALM"] = chart(rows, symbol="CALM", zone=NEW_YORK)

        fetched = fetcher.fetch("CALM", now=LATER)

        assert (len(fetched.bars), fetched.rejected, fetched.unfinished) == (662, [], 0)
        first, last = fetched.bars[0], fetched.bars[-1]
        assert (first.symbol, first.timeframe, first.source) == ("CALM", "1d", "yahoo")
        assert (first.timestamp, last.timestamp) == (at("2022-01-03"), at("2024-08-21"))
        # 37.029998779296875 in the answer: fifteen significant digits of it, not adjusted.
        assert first.open == Decimal("37.0299987792969")
        assert first.adjusted_close == Decimal("32.6307373046875")
        assert round(sum(bar.close for bar in fetched.bars), 6) == Decimal("35269.869968")
        assert sum(bar.volume for bar in fetched.bars) == 513809100

    def test_hourly_bars_of_london_over_the_change_of_clocks(self, shared_data, yahoo, fetcher):
        rows = recorded_bars(shared_data / "ohlcv/yahoo/ASAI-L-1h-bad-unit.csv")
        yahoo.answers["ASAI.L"] = chart(rows, symbol="ASAI.L", zone=ZoneInfo("Europe/London"))

        fetched = fetcher.fetch("ASAI.L", interval="60m", now=LATER)

        assert len(fetched.bars) == 20
        assert {bar.timeframe for bar in fetched.bars} == {"1h"}
        assert (fetched.bars[0].timestamp, fetched.bars[-1].timestamp) == (
            at("2024-10-21T09:00"),
            at("2024-10-30T14:00"),
        )
        assert round(sum(bar.close for bar in fetched.bars), 6) == Decimal("1254.965002")

    def test_prices_below_the_eighteenth_decimal_fit(self, shared_data, yahoo, fetcher):
        rows = recorded_bars(shared_data / "ohlcv/yahoo/ALPHA-PA-1d-bad-stock-split.csv")
        yahoo.answers["ALPHA.PA"] = chart(rows, symbol="ALPHA.PA", zone=ZoneInfo("Europe/Paris"), opens_at=dt.time(9))

        fetched = fetcher.fetch("ALPHA.PA", now=LATER)

        assert (len(fetched.bars), fetched.rejected) == (29, [])
        assert min(bar.low for bar in fetched.bars) == Decimal("0.000099999997473788")
        assert {bar.timestamp.time() for bar in fetched.bars} == {dt.time()}


class TestWhatIsAsked:
    def test_a_start_and_an_end_go_to_yahoo_as_seconds(self, yahoo, fetcher):
        yahoo.answers["SPY"] = chart([row("2024-01-03")], symbol="SPY", zone=NEW_YORK)

        fetcher.fetch("SPY", start=at("2024-01-02"), end=at("2024-01-05"), now=LATER)

        _, query = yahoo.asked[-1]
        assert (query["period1"], query["period2"]) == (
            str(int(at("2024-01-02").timestamp())),
            str(int(at("2024-01-05").timestamp())),
        )
        assert query["interval"] == "1d"

    def test_nothing_is_asked_about_the_future(self, yahoo, fetcher):
        fetched = fetcher.fetch("SPY", start=at("2024-01-02"), now=at("2024-01-02"))

        assert (fetched.bars, yahoo.asked) == ([], [])

    @pytest.mark.parametrize(
        ("options", "field"),
        [
            ({"interval": "1M"}, "timeframe"),
            ({"interval": "5d"}, "interval"),
            ({"interval": "4h"}, "interval"),
            ({"start": dt.datetime(2024, 1, 2)}, "start"),  # noqa: DTZ001 - naive on purpose
            ({"end": dt.datetime(2024, 1, 2)}, "end"),  # noqa: DTZ001 - naive on purpose
        ],
    )
    def test_a_wrong_argument_is_refused_before_anything_is_asked(self, yahoo, fetcher, options, field):
        with pytest.raises(RejectedRecordError) as caught:
            fetcher.fetch("SPY", now=LATER, **options)

        assert caught.value.field == field
        assert yahoo.asked == []


class TestUnfinishedBars:
    @pytest.mark.parametrize(
        ("now", "finished"),
        [("2024-01-04T04:59", ["2024-01-02"]), ("2024-01-04T05:00", ["2024-01-02", "2024-01-03"])],
    )
    def test_a_day_is_over_at_midnight_where_it_is_traded(self, yahoo, fetcher, now, finished):
        yahoo.answers["SPY"] = chart([row("2024-01-02"), row("2024-01-03")], symbol="SPY", zone=NEW_YORK)

        fetched = fetcher.fetch("SPY", now=at(now))

        assert [f"{bar.timestamp:%Y-%m-%d}" for bar in fetched.bars] == finished
        assert len(finished) + fetched.unfinished == 2

    def test_an_hour_is_over_when_it_is(self, yahoo, fetcher):
        rows = [row("2024-01-02 10:00:00-05:00"), row("2024-01-02 11:00:00-05:00")]
        yahoo.answers["SPY"] = chart(rows, symbol="SPY", zone=NEW_YORK)

        fetched = fetcher.fetch("SPY", interval="1h", now=at("2024-01-02T16:59"))

        assert [bar.timestamp for bar in fetched.bars] == [at("2024-01-02T15:00")]
        assert fetched.unfinished == 1

    @pytest.mark.parametrize(("interval", "end"), [("1wk", "2024-01-08"), ("1mo", "2024-02-01"), ("3mo", "2024-04-01")])
    def test_a_longer_bar_is_over_when_the_next_one_begins(self, yahoo, fetcher, interval, end):
        yahoo.answers["BTC-USD"] = chart([row("2024-01-01")], symbol="BTC-USD", zone=dt.UTC, opens_at=dt.time(0, 0, 1))

        before = fetcher.fetch("BTC-USD", interval=interval, now=at(end) - dt.timedelta(seconds=1))
        after = fetcher.fetch("BTC-USD", interval=interval, now=at(end))

        assert (len(before.bars), before.unfinished) == (0, 1)
        assert (len(after.bars), after.unfinished) == (1, 0)


class TestFaultyAnswers:
    def test_a_bar_without_prices_is_reported_and_the_rest_is_kept(self, yahoo, fetcher):
        rows = [row("2024-01-02"), row("2024-01-03", close=""), row("2024-01-04")]
        yahoo.answers["SPY"] = chart(rows, symbol="SPY", zone=NEW_YORK)

        fetched = fetcher.fetch("SPY", now=LATER)

        assert len(fetched.bars) == 2
        ((position, error),) = fetched.rejected
        assert (position, error.field) == (1, "close")

    def test_an_answer_without_bars_is_no_error(self, yahoo, fetcher):
        yahoo.answers["SPY"] = chart([], symbol="SPY", zone=NEW_YORK)

        assert fetcher.fetch("SPY", start=at("2024-01-06"), now=LATER).bars == []

    def test_an_unknown_symbol_is_told_apart_and_not_asked_for_again(self, yahoo, fetcher, waits):
        with pytest.raises(UnknownSymbolError, match="'NOSUCH'"):
            fetcher.fetch("NOSUCH", now=LATER)

        assert waits == []

    def test_the_reason_of_yahoo_reaches_the_caller(self, yahoo, fetcher):
        good = chart([row("2024-01-03")], symbol="SPY", zone=NEW_YORK)
        reason = "1m data not available; the requested range must be within the last 30 days."
        refused = (422, json.dumps(refusal(reason)))
        # yfinance itself asks a second time with other cookies.
        yahoo.answers["SPY"] = [refused, refused, good]

        with pytest.raises(RefusedRequestError, match="within the last 30 days"):
            fetcher.fetch("SPY", interval="1m", start=at("2020-01-02"), end=at("2020-01-03"), now=LATER)

    @pytest.mark.parametrize(
        "answer",
        [
            (502, "<html>Bad gateway</html>"),
            (200, "not JSON"),
            (200, "{}"),
            (200, '{"chart": {"result": [{"meta": {}}], "error": null}}'),
        ],
    )
    def test_an_answer_that_cannot_be_read_is_asked_for_again_and_then_typed(self, yahoo, fetcher, waits, answer):
        yahoo.answers["SPY"] = answer

        with pytest.raises(FetchError):
            fetcher.fetch("SPY", start=at("2024-01-02"), now=LATER)

        assert len(waits) == 2

    def test_a_stumble_is_got_over(self, yahoo, fetcher, waits):
        good = chart([row("2024-01-03")], symbol="SPY", zone=NEW_YORK)
        yahoo.answers["SPY"] = [(502, "<html>"), (502, "<html>"), good]

        fetched = fetcher.fetch("SPY", start=at("2024-01-02"), end=at("2024-01-05"), now=LATER)

        assert len(fetched.bars) == 1
        assert len(waits) == 1

    def test_a_rate_limit_says_so(self, yahoo, fetcher):
        yahoo.answers["SPY"] = (429, "Too Many Requests")

        with pytest.raises(FetchError, match="limits the rate"):
            fetcher.fetch("SPY", now=LATER)

    def test_no_network_is_said_plainly_after_a_bounded_number_of_attempts(self, yahoo, waits):
        session = yahoo.session()
        yahoo.close()
        fetcher = StockDataFetcher(session=session, timeout=5, sleep=waits.append)

        with pytest.raises(FetchError, match="is this machine online"):
            fetcher.fetch("SPY", now=LATER)

        assert len(waits) == 2

    def test_the_switch_of_yfinance_is_left_as_it_was(self, yahoo, fetcher):
        before = yfinance.config.debug.hide_exceptions

        with pytest.raises(FetchError):
            fetcher.fetch("NOSUCH", now=LATER)

        assert yfinance.config.debug.hide_exceptions is before
