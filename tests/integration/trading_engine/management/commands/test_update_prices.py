"""`manage.py update_prices` asks Yahoo for what came after the last stored bar, and stores it once."""

import datetime as dt
import io
import json
from zoneinfo import ZoneInfo

import pytest
import yfinance
from django.db import connections

from tests.unit.trading_engine.data.yahoo_stub import YahooStub, chart, recorded_bars
from trading_engine.data.stock_data_fetcher import StockDataFetcher
from trading_engine.management.commands.update_prices import Command
from trading_engine.models import Price, PriceRevision
from trading_engine.services.price_recorder import PriceRecorder
from trading_engine.services.price_updates import update_prices

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
def yahoo(tmp_path):
    yfinance.set_tz_cache_location(str(tmp_path))
    stub = YahooStub()
    yield stub
    stub.close()


@pytest.fixture
def run(yahoo, monkeypatch):
    fetcher = StockDataFetcher(session=yahoo.session(), timeout=5, sleep=lambda _seconds: None)
    monkeypatch.setattr(Command, "fetcher", lambda _self: fetcher)

    def run_command(*arguments):
        command = Command(stdout=(stdout := io.StringIO()), stderr=(stderr := io.StringIO()), no_color=True)
        code = 0
        try:
            command.run_from_argv(["manage.py", "update_prices", *arguments, "--json"])
        except SystemExit as exit_:
            code = exit_.code
        finally:
            connections.close_all()
        return code, json.loads(stdout.getvalue() or "null"), stderr.getvalue()

    return run_command


@pytest.fixture
def calm(shared_data):
    return recorded_bars(shared_data / "ohlcv/yahoo/CALM-1d-no-bad-divs.csv")


def counts(report):
    return tuple(report[name] for name in ("inserted", "duplicates", "conflicts", "rejected", "suspect"))


def test_the_first_time_everything_is_fetched_and_the_second_nothing_is_new(yahoo, run, calm):
    yahoo.answers["CALM"] = chart(calm, symbol="CALM", zone=NEW_YORK)

    code, report, _ = run("CALM")
    again, second, _ = run("CALM", "--start", "2022-01-01")

    assert (code, counts(report)) == (0, (662, 0, 0, 0, 0))
    assert (again, counts(second)) == (0, (0, 662, 0, 0, 0))
    assert set(Price.objects.values_list("source", flat=True)) == {"yahoo"}


def test_only_what_came_after_the_last_stored_bar_is_asked_for(yahoo, run, calm):
    yahoo.answers["CALM"] = chart(calm[:-3], symbol="CALM", zone=NEW_YORK)
    run("CALM")
    yahoo.answers["CALM"] = chart(calm[-3:], symbol="CALM", zone=NEW_YORK)

    _, report, _ = run("CALM")

    _, query = yahoo.asked[-1]
    last_stored = dt.date.fromisoformat(calm[-4]["Datetime"][:10])
    following = dt.datetime.combine(last_stored + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC)
    assert int(query["period1"]) == int(following.timestamp())
    assert report["symbols"][0]["since"] == following.isoformat()
    assert (report["inserted"], Price.objects.count()) == (3, 662)


def test_another_interval_is_a_series_of_its_own(yahoo, run, shared_data, calm):
    yahoo.answers["CALM"] = chart(calm, symbol="CALM", zone=NEW_YORK)
    run("CALM")
    hourly = recorded_bars(shared_data / "ohlcv/yahoo/ASAI-L-1h-bad-unit.csv")
    yahoo.answers["CALM"] = chart(hourly, symbol="CALM", zone=ZoneInfo("Europe/London"))

    _, report, _ = run("CALM", "--interval", "60m")

    assert report["symbols"][0]["since"] is None
    assert (report["inserted"], Price.objects.filter(timeframe="1h").count()) == (20, 20)


def test_a_close_that_yahoo_changed_is_a_conflict_and_revised_when_asked(yahoo, run, calm):
    yahoo.answers["CALM"] = chart(calm[:5], symbol="CALM", zone=NEW_YORK)
    run("CALM")
    changed = [*calm[:4], calm[4] | {"Volume": "1"}]
    yahoo.answers["CALM"] = chart(changed, symbol="CALM", zone=NEW_YORK)

    assert counts(run("CALM", "--start", "2022-01-01")[1]) == (0, 4, 1, 0, 0)
    assert run("CALM", "--start", "2022-01-01", "--revise")[1]["revised"] == 1
    assert Price.objects.filter(volume=1).count() == PriceRevision.objects.count() == 1


def test_a_day_that_is_not_over_is_left_for_the_next_time(yahoo, calm):
    yahoo.answers["CALM"] = chart(calm[-2:], symbol="CALM", zone=NEW_YORK)
    fetcher = StockDataFetcher(session=yahoo.session(), timeout=5)
    during = dt.datetime(2024, 8, 21, 15, tzinfo=NEW_YORK)

    with PriceRecorder() as recorder:
        first = update_prices("CALM", now=during, fetcher=fetcher, recorder=recorder)
        second = update_prices("CALM", now=during + dt.timedelta(days=1), fetcher=fetcher, recorder=recorder)

    assert (first.inserted, first.unfinished) == (1, 1)
    assert (second.inserted + second.duplicates, second.unfinished) == (2, 0)
    assert Price.objects.count() == 2


def test_a_symbol_that_fails_fails_the_command_and_not_the_others(yahoo, run, calm):
    yahoo.answers["CALM"] = chart(calm[:5], symbol="CALM", zone=NEW_YORK)

    code, report, stderr = run("NOSUCH", "CALM")

    assert (code, report["inserted"]) == (1, 5)
    assert report["failed"] == [{"symbol": "NOSUCH", "error": "Yahoo knows no symbol 'NOSUCH'"}]
    assert stderr == "error: Yahoo knows no symbol 'NOSUCH'\n"


def test_no_network_is_one_plain_line(yahoo, run):
    yahoo.close()

    code, report, stderr = run("SPY")

    assert (code, report["inserted"]) == (1, 0)
    assert stderr.count("\n") == 1
    assert "is this machine online?" in stderr


@pytest.mark.parametrize("options", [["--interval", "4h"], ["--interval", "1y"], ["--start", "soon"], [""]])
def test_wrong_usage_is_two(yahoo, run, options):
    assert run("SPY", *options)[0] == 2
    assert yahoo.asked == []
