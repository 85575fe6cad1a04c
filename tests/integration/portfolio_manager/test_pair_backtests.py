"""Pairs through the trading cycle: found, traded as two legs of one round trip, stored and booked like everything."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import json
import random
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from friren.core.models import User
from friren.errors import RejectedRecordError
from portfolio_manager.backtests import BacktestPlan, run_backtest
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import BacktestTrade, Position, TradingJournal
from trading_engine.backtesting.close_tables import series_of_close_tables
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.models import BacktestPair, BacktestRun, Order, Price, Signal, Trade, TradingPair

QUICK = ("lookback=60", "refit=30", "max_pvalue=1", "entry_z=1.5")


def closes(bars=150) -> list[tuple[str, str, str]]:
    """Days and closes of two made-up symbols whose spread comes back."""
    rng = random.Random(11)
    rows, second, spread = [], 50.0, 0.0
    for number in range(bars):
        second += rng.gauss(0, 0.4)
        spread += -0.35 * spread + rng.gauss(0, 0.8)
        day = dt.date(2020, 1, 1) + dt.timedelta(days=number)
        rows.append((day.isoformat(), f"{20 + 1.5 * second + spread:.4f}", f"{second:.4f}"))
    return rows


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "closes.csv"
    path.write_text("date,AAA,BBB\n" + "\n".join(",".join(row) for row in closes()))
    return path


def told(command, *arguments) -> dict:
    out = io.StringIO()
    call_command(command, *map(str, arguments), "--json", stdout=out)
    return json.loads(out.getvalue())


def backtest(table, *arguments) -> dict:
    return told(
        "backtest", "--strategy", "pairs", "--closes", table, "--pair", "AAA", "BBB", "--set", *QUICK, *arguments
    )


class TestBacktest:
    def test_stores_a_run_and_two_legs_of_every_round_trip(self, table) -> None:
        report = backtest(table)

        run = BacktestRun.objects.get(id=report["run_id"])
        pair = TradingPair.objects.get()
        assert (run.status, run.result.trade_count) == ("COMPLETED", report["round_trips"])
        assert run.parameters["strategies"]["pairs"]["lookback"] == 60
        assert BacktestPair.objects.get().pair == pair == run.pairs.get()
        assert Order.objects.count() == Trade.objects.count() == report["trades"] == 2 * report["signals"]
        for signal in Signal.objects.all():
            first, second = Trade.objects.filter(order__signal=signal).order_by("id")
            assert first.round_trip == second.round_trip
            assert {first.pair, second.pair} == {pair}
            assert {first.symbol.ticker, second.symbol.ticker} == {"AAA", "BBB"}
            assert (signal.kind, signal.executed, signal.pair) == ("PAIR", True, pair)
        assert not TradingPair.objects.get().is_active  # by name, not because it was found

    def test_leaves_books_that_are_what_was_traded_on(self, table) -> None:
        report = backtest(table)

        positions = Position.objects.filter(account__name=report["account"])
        closed = positions.filter(status="closed")
        assert report["round_trips"] >= 3
        assert {position.side for position in positions} == {"LONG", "SHORT"}
        assert all(closed.filter(round_trip=trip).count() == 2 for trip in closed.values_list("round_trip", flat=True))
        assert not PortfolioTracker(report["account"]).rebuild(check=True).differences
        assert BacktestTrade.objects.filter(pair=TradingPair.objects.get()).count() == positions.count()
        assert {one.exit_reason for one in closed} <= {"SIGNAL", "STOP", "TIMEOUT"}

    def test_fills_at_the_next_moment(self, table) -> None:
        backtest(table)

        for trade in Trade.objects.select_related("order__signal", "symbol"):
            following = Price.objects.filter(symbol=trade.symbol, timestamp__gt=trade.order.signal.timestamp)
            assert (trade.executed_at, trade.price) == following.order_by("timestamp").values_list("timestamp", "open")[
                0
            ]

    def test_sizes_by_what_a_person_prefers(self, table) -> None:
        shares = {}
        for tolerance in ("LOW", "HIGH"):
            User.objects.create(username=tolerance, email=f"{tolerance}@example.org", risk_tolerance=tolerance)
            report = backtest(table, "--user", tolerance)
            run = BacktestRun.objects.get(id=report["run_id"])
            entry = Trade.objects.filter(account=run.account).order_by("executed_at", "id")[:2]
            shares[tolerance] = sum(trade.quantity * trade.price for trade in entry) / 100_000
            assert run.user.username == tolerance

        assert Decimal("0.007") < shares["LOW"] <= Decimal("0.0105")
        assert Decimal("0.034") < shares["HIGH"] <= Decimal("0.042")

    @pytest.mark.parametrize(
        "arguments",
        [("--strategy", "pairs"), ("--strategy", "sma_cross", "--pair", "AAA", "BBB")],
    )
    def test_wants_a_pair_for_pairs_and_for_nothing_else(self, table, arguments) -> None:
        with pytest.raises(CommandError) as caught:
            told("backtest", *arguments, "--closes", table)

        assert caught.value.returncode == 2

    @pytest.mark.parametrize(
        ("plan", "field"),
        [
            ({"pairs": [("AAA", "CCC")]}, "pairs[0]"),
            ({"pairs": [("AAA", "BBB"), ("BBB", "AAA")]}, "pairs"),
            ({"pairs": [("AAA", "BBB")], "user": "nobody"}, "user"),
        ],
    )
    def test_refuses_a_plan_that_cannot_be_run(self, table, plan, field) -> None:
        with pytest.raises(RejectedRecordError) as caught:
            run_backtest(BacktestPlan(series=series_of_close_tables([table]).series, strategies=["pairs"], **plan))

        assert caught.value.field == field

    def test_an_entry_that_cannot_be_paid_at_the_open_is_refused_whole(self, table) -> None:
        loaded = series_of_close_tables([table])
        dear = {
            symbol: [dataclasses.replace(bar, open=bar.close * 3, high=bar.close * 3) for bar in bars]
            for symbol, bars in loaded.series.items()
        }
        report = run_backtest(
            BacktestPlan(
                series=dear, strategies=["pairs"], pairs=[("BBB", "AAA")],
                parameters={"pairs": {"lookback": 60, "max_pvalue": 1.0, "entry_z": 1.5}},
            )
        )  # fmt: skip

        refused = Order.objects.filter(account__name=report.account, status="rejected")
        assert report.refusals["no_cash_at_open"] == report.refusals["other_leg_refused"] > 0
        assert all(
            refused.filter(round_trip=trip).count() == 2 for trip in refused.values_list("round_trip", flat=True)
        )


class TestAnalysis:
    def test_finds_stores_and_puts_aside(self, table) -> None:
        found = told("analyze_pairs", "--closes", table, "--lookback", 150, "--max-half-life", 100)
        again = told("analyze_pairs", "--closes", table, "--lookback", 150, "--max-half-life", 100)
        pair = TradingPair.objects.get()
        assert (found["examined"], found["active"], found["stored"], pair.is_active) == (1, 1, 1, True)
        assert (again["stored"], again["duplicate"]) == (0, 1)
        assert pair.hedge_ratio == found["pairs"][0]["hedge_ratio"]

        strict = told("analyze_pairs", "--symbols", "AAA", "BBB", "--lookback", 150, "--max-half-life", 0.01)
        assert (strict["active"], strict["stored"], TradingPair.objects.get().is_active) == (0, 1, False)

    def test_of_an_earlier_day_knows_nothing_later(self, table, tmp_path) -> None:
        short = tmp_path / "short.csv"
        short.write_text("\n".join(table.read_text().splitlines()[:101]))
        asked = ("--pair", "AAA", "BBB", "--lookback", 252)

        whole = told("analyze_pairs", "--closes", table, *asked, "--as-of", closes()[99][0])
        cut = told("analyze_pairs", "--closes", short, *asked)

        assert whole["pairs"][0]["observations"] == 100
        assert whole["pairs"] == cut["pairs"]

    def test_real_closes_give_the_reference_figures(self, shared_data) -> None:
        path = shared_data / "pairs/xlf_xlk_2018_2020.csv"
        told("analyze_pairs", "--closes", path, "--pair", "XLF", "XLK", "--lookback", 726)

        pair = TradingPair.objects.get()
        assert (round(pair.hedge_ratio, 10), round(pair.cointegration_pvalue, 8)) == (-0.0349418401, 0.06185644)
        assert (round(pair.half_life, 3), pair.lookback_days, pair.is_active) == (31.888, 726, False)


class TestTable:
    def test_of_closes_leaves_out_empty_cells_and_names_what_is_none(self, tmp_path) -> None:
        path = tmp_path / "closes.csv"
        path.write_text("date,AAA,BBB\n2020-01-01,1,\n2020-01-02,2,x\n2020-01-03,3,30\n")

        loaded = series_of_close_tables([path])

        assert [len(loaded.series[symbol]) for symbol in ("AAA", "BBB")] == [3, 1]
        assert (loaded.rejected, loaded.issues[0].startswith("closes.csv: line 3: BBB='x'")) == (1, True)

    @pytest.mark.parametrize("text", ["", "date\n2020-01-01\n", "date,AAA\n2020-01-01,1,2\n", "date,AAA\nsoon,1\n"])
    def test_that_is_none_is_refused(self, tmp_path, text) -> None:
        path = tmp_path / "closes.csv"
        path.write_text(text)

        with pytest.raises(UnreadableFileError):
            series_of_close_tables([path])


def test_pages_show_the_run_its_pair_and_a_journal_entry(table) -> None:
    person = User.objects.create_superuser("boss", "boss@example.org", "secret")
    report = backtest(table)
    browser = Client()
    browser.force_login(person)
    position = Position.objects.filter(status="closed").first()
    TradingJournal.objects.create(user=person, title="too early", content="wait for 2.5", position=position)

    pages = {
        "portfolio_manager/backtesttrade/?pair_ticker=AAA": "AAA/BBB",
        f"trading_engine/backtestrun/{report['run_id']}/change/": "AAA/BBB",
        f"trading_engine/tradingpair/{TradingPair.objects.get().pk}/change/": "Latest signals",
        "trading_engine/signal/?pair_ticker=AAA": "AAA/BBB",
        f"portfolio_manager/position/{position.pk}/change/": "too early",
    }
    for page, text in pages.items():
        answer = browser.get(f"/admin/{page}")
        assert answer.status_code == 200, page
        assert text in answer.content.decode(), page
