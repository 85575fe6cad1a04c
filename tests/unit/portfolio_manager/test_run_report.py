"""A run as people and programs read it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import json
from decimal import Decimal

import pytest
from rich.console import Console

from friren.core.ids import new_id
from portfolio_manager.analytics import RoundTrip, performance
from portfolio_manager.run_report import RunReport, print_report, sparkline

START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def report():
    equity = [(START + index * DAY, Decimal(value)) for index, value in enumerate((100000, "100500.50", "99900.10"))]
    trips = [
        RoundTrip(symbol="AAA", strategy="one", regime="BULL", opened_at=START, closed_at=START + DAY,
                  realized_pnl=Decimal("500.50"), commission=Decimal(2)),
        RoundTrip(symbol="AAA", strategy="two", regime="", opened_at=START, closed_at=None, realized_pnl=Decimal(0),
                  unrealized_pnl=Decimal("-600.40"), commission=Decimal(1)),
    ]  # fmt: skip
    return RunReport(
        run_id=new_id(), account="one+two-AAA-x", strategies=("one", "two"), symbols=("AAA",), starts_at=START,
        ends_at=START + 2 * DAY, currency="USD", bars=3, signals=5, orders=3, trades=3, regimes=1, risk_days=3,
        starting_cash=Decimal(100000), final_equity=Decimal("99900.10"), equity=equity, trips=trips,
        refusals={"no_cash": 2}, performance=performance([Decimal(100000), *(value for _, value in equity)], trips),
        seconds=1.23456,
    )  # fmt: skip


class TestJson:
    def test_has_the_keys_of_the_contract_and_survives_json(self, report):
        figures = json.loads(json.dumps(report.as_json(), allow_nan=False))

        assert figures.keys() >= {
            "run_id", "account", "bars", "signals", "trades", "regimes", "risk_days", "final_equity", "total_return",
            "sharpe_ratio", "max_drawdown", "win_rate", "profit_factor", "seconds",
        }  # fmt: skip

    def test_writes_money_as_plain_text_and_ratios_as_numbers(self, report):
        figures = report.as_json()

        assert figures["final_equity"] == "99900.1"
        assert figures["starting_cash"] == "100000"
        assert figures["total_return"] == pytest.approx(-0.000999)
        assert figures["profit_factor"] is None
        assert figures["starts_at"] == "2020-01-01T00:00:00+00:00"
        assert figures["refusals"] == {"no_cash": 2}


class TestSparkline:
    def test_goes_from_the_lowest_to_the_highest(self):
        assert sparkline([Decimal(value) for value in (0, 7, 3)], columns=3) == "▁█▄"

    def test_shows_the_last_value_of_each_stretch(self):
        assert sparkline([Decimal(value) for value in (9, 0, 9, 7)], columns=2) == "▁█"

    def test_is_flat_where_nothing_moves_and_empty_without_values(self):
        assert sparkline([Decimal(5)] * 10, columns=4) == "▁▁▁▁"
        assert sparkline([]) == ""


class TestPage:
    def test_says_what_came_of_the_run(self, report):
        screen = io.StringIO()
        print_report(Console(file=screen, width=120), report)
        page = screen.getvalue()

        for said in ("one + two on AAA", "99,900.10 USD", "By strategy", "BULL", "none given", "-601.40",
                     "498.50", "2 no cash", "–", "account one+two-AAA-x"):  # fmt: skip
            assert said in page

    def test_fits_a_terminal_of_80_columns(self, report):
        screen = io.StringIO()
        print_report(Console(file=screen, width=80), report)

        assert max(len(line) for line in screen.getvalue().splitlines()) <= 80
        assert all(said in screen.getvalue() for said in ("99,900.10 USD", "498.50", "-601.40"))

    def test_prints_names_as_they_are(self, report):
        screen = io.StringIO()
        odd = dataclasses.replace(report, account="[red]mine[/]", symbols=("[b]",))
        print_report(Console(file=screen, width=120), odd)

        assert "account [red]mine[/]" in screen.getvalue()
        assert "one + two on [b]" in screen.getvalue()
