"""`manage.py backtest`: real bars in, figures out that anyone can recompute."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from friren.core.models import Account
from trading_engine.models import BacktestRun, Price, RegimeHistory, Signal, Trade

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(scope="module")
def spy(shared_data):
    return shared_data / "ohlcv" / "spy_daily_2008_2017.yahoo.csv"


@pytest.fixture
def rows(spy):
    """(day, open, close) of the file, read by nothing of ours."""
    with spy.open(newline="") as stream:
        return [
            (dt.date.fromisoformat(row["Date"]), Decimal(row["Open"]), Decimal(row["Close"]))
            for row in csv.DictReader(stream)
        ]


def backtest(*arguments):
    screen = io.StringIO()
    call_command("backtest", *map(str, arguments), "--json", stdout=screen)
    return json.loads(screen.getvalue())


class TestSpy:
    def test_final_equity_can_be_recomputed_from_the_stored_trades_and_the_bars(self, spy, rows):
        figures = backtest("--csv", spy, "--strategy", "sma_cross")

        cash, held = Decimal(100_000), Decimal(0)
        for trade in Trade.objects.order_by("executed_at", "id"):
            sign = {"buy": 1, "sell": -1}[trade.action]
            cash -= sign * trade.quantity * trade.price + trade.commission
            held += sign * trade.quantity
        assert Decimal(figures["final_equity"]) == cash + held * rows[-1][2]
        assert figures["trades"] == Trade.objects.count() > 0

    def test_trades_are_those_of_the_rules_read_by_a_second_program(self, spy, rows):
        figures = backtest("--csv", spy, "--strategy", "sma_cross")

        closes = [close for _, _, close in rows]
        cash, held, expected, before = Decimal(100_000), 0, [], None
        for today in range(199, len(rows)):
            above = sum(closes[today - 49 : today + 1]) * 4 > sum(closes[today - 199 : today + 1])
            crossed, before = before is not None and above != before, above
            if not crossed or today + 1 == len(rows):
                continue
            day, opened, _ = rows[today + 1]
            if above and not held:
                held = int(min(cash * Decimal("0.95"), (cash - 1) * Decimal("0.95")) / closes[today])
                cash -= held * opened + 1
                expected.append((day, "buy", held, opened))
            elif not above and held:
                cash += held * opened - 1
                expected.append((day, "sell", held, opened))
                held = 0
        stored = Trade.objects.order_by("executed_at").values_list("executed_at", "action", "quantity", "price")
        assert [(at.date(), action, quantity, price) for at, action, quantity, price in stored] == expected
        assert Decimal(figures["final_equity"]) == cash + held * closes[-1]

    def test_reports_the_keys_of_the_contract_and_stores_the_bars(self, spy):
        figures = backtest("--csv", spy, "--strategy", "mean_reversion")

        assert figures.keys() >= {
            "run_id", "bars", "signals", "trades", "final_equity", "total_return", "sharpe_ratio", "max_drawdown",
            "win_rate", "profit_factor",
        }  # fmt: skip
        assert figures["bars"] == Price.objects.count() == 2519
        assert figures["signals"] == Signal.objects.count()
        assert BacktestRun.objects.get().id.hex == figures["run_id"].replace("-", "")
        assert figures["total_return"] == pytest.approx(float(Decimal(figures["final_equity"]) / 100_000 - 1))
        assert 0 <= figures["win_rate"] <= 1
        assert -1 <= figures["max_drawdown"] <= 0

    def test_runs_on_the_stored_bars_as_on_the_file(self, spy):
        from_file = backtest("--csv", spy, "--strategy", "donchian_breakout")
        from_store = backtest("--symbols", "spy", "--strategy", "donchian_breakout")

        assert from_store["final_equity"] == from_file["final_equity"]
        assert Price.objects.count() == 2519

    def test_prints_a_page_for_people(self, spy, capsys):
        call_command("backtest", "--csv", str(spy), "--strategy", "donchian_breakout")
        page = capsys.readouterr().out

        assert "donchian_breakout on spy" in page
        assert "Sharpe ratio" in page


class TestRefusals:
    @pytest.fixture
    def write(self, tmp_path):
        def write(text, name="AAA.csv"):
            path = tmp_path / name
            path.write_text(text)
            return path

        return write

    def refused(self, *arguments):
        with pytest.raises(CommandError) as error:
            backtest(*arguments)
        message = str(error.value)
        assert "\n" not in message
        assert error.value.returncode in {1, 2}
        assert not Account.objects.filter(environment="BACKTEST").exists()
        return message

    def test_an_unknown_strategy(self, write):
        path = write("Date,Open,High,Low,Close\n2020-01-02,1,1,1,1\n")

        assert "one of sma_cross, donchian_breakout, mean_reversion" in self.refused(
            "--csv", path, "--strategy", "macd"
        )
        assert not Price.objects.exists()

    @pytest.mark.parametrize("text", ["", "Date,Open,High,Low,Close\n", "nothing of the kind\n"])
    def test_a_file_without_bars(self, write, text):
        assert "AAA.csv" in self.refused("--csv", write(text), "--strategy", "sma_cross")

    def test_a_missing_file(self, tmp_path):
        assert "nowhere.csv" in self.refused("--csv", tmp_path / "nowhere.csv", "--strategy", "sma_cross")

    def test_a_symbol_without_bars(self):
        assert "NONE" in self.refused("--symbols", "NONE", "--strategy", "sma_cross")

    def test_another_engine(self, write):
        assert "reference" in self.refused("--symbols", "AAA", "--strategy", "sma_cross", "--engine", "vectorbt")

    def test_no_source_of_bars(self):
        with pytest.raises(CommandError, match="--csv --closes --symbols"):
            backtest("--strategy", "sma_cross")


class TestOptions:
    def test_an_account_can_be_named(self, tmp_path):
        path = tmp_path / "AAA.csv"
        path.write_text("Date,Open,High,Low,Close\n2020-01-02,1,1,1,1\n2020-01-03,1,1,1,1\n")

        assert backtest("--csv", path, "--strategy", "sma_cross", "--account", "mine")["account"] == "mine"
        assert Account.objects.get(name="mine").environment == "BACKTEST"

    def test_lines_that_are_no_bar_are_named_on_stderr_and_counted(self, tmp_path, capsys):
        path = tmp_path / "AAA.csv"
        path.write_text("Date,Open,High,Low,Close,Volume\n2020-01-02,1,1,1,1,5\n2020-01-03,x,1,1,1,5\n")
        figures = backtest("--csv", path, "--strategy", "sma_cross", "--symbol", "BBB")

        assert (figures["bars"], figures["rejected_lines"], figures["symbols"]) == (1, 1, ["BBB"])
        assert "AAA.csv: line 3: open='x'" in capsys.readouterr().err

    def test_a_run_that_never_trades_has_none_and_no_nan(self, tmp_path):
        path = tmp_path / "AAA.csv"
        path.write_text("Date,Open,High,Low,Close\n2020-01-02,1,1,1,1\n2020-01-03,1,1,1,1\n")
        figures = backtest("--csv", path, "--strategy", "sma_cross")

        assert (figures["trades"], figures["final_equity"], figures["total_return"]) == (0, "100000", 0.0)
        assert figures["sharpe_ratio"] is figures["win_rate"] is figures["profit_factor"] is None

    def test_the_regime_detector_can_be_named(self, tmp_path):
        path = tmp_path / "AAA.csv"
        days = (f"{2016 + index // 336}-{index // 28 % 12 + 1:02}-{index % 28 + 1:02}" for index in range(520))
        lines = (
            f"{day},1,1,1,{100 + index % 7}\n".replace(",1,1,1,", f",{100 + index % 7},107,99,")
            for index, day in enumerate(days)
        )
        path.write_text("Date,Open,High,Low,Close\n" + "".join(lines))
        figures = backtest("--csv", path, "--strategy", "sma_cross", "--detector", "entropy")

        assert BacktestRun.objects.get().parameters["regime_detector"] == "ENTROPY"
        assert set(RegimeHistory.objects.values_list("detector", flat=True)) == {"ENTROPY"}
        assert figures["regimes"] == RegimeHistory.objects.count() > 0
