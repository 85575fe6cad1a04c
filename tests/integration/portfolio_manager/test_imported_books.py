"""Files of other systems, imported by the command: their figures come out of the books, a second run adds nothing."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import shutil
import zipfile
from collections import defaultdict
from decimal import Decimal

import pytest
from django.db import connections
from django.db.models import Sum

import friren
from friren.accounts import find_account
from friren.core.numbers import CONTEXT, ZERO, quantize
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import AccountState, AccountTotals, CorporateAction, LedgerEntry, Position
from tests.books import freqtrade_round_trips, number, pyfolio_closes, zipline_run
from tests.freqtrade_database import write_database
from trading_engine.management.commands.import_data import Command
from trading_engine.models import Order, Trade

pytestmark = pytest.mark.usefixtures("database")
D = Decimal
SHARES_2004 = {"AMD": 2139, "CERN": 2092, "COST": -170, "DELL": 424, "GPS": -6, "INTC": 2514, "MMM": 25}
CLOSE = dt.datetime(2004, 12, 31, 21, tzinfo=dt.UTC)


def run(*arguments):
    """Return the report of the command; its exit code must be 0."""
    command = Command(stdout=(stdout := io.StringIO()), stderr=(stderr := io.StringIO()), no_color=True)
    try:
        command.run_from_argv(["manage.py", "import_data", "--source", *map(str, arguments), "--json"])
    except SystemExit as exit_:
        pytest.fail(f"exit code {exit_.code}: {stderr.getvalue()}")
    finally:
        connections.close_all()
    return json.loads(stdout.getvalue())


def run_twice(*arguments):
    """Return the first report, once a second run has imported nothing."""
    first, second = run(*arguments), run(*arguments)
    assert (second["imported"], second["updated"], second["conflicts"]) == (0, 0, 0)
    assert second["duplicates"] == first["imported"]
    assert second["rejected"] == first["rejected"]
    return first


def held(tracker):
    rows = tracker.get_current_positions()
    return {row.symbol: row.quantity if row.side == "LONG" else -row.quantity for row in rows}


def test_pyfolio_2004(shared_data):
    report = run_twice("pyfolio", shared_data / "trades/pyfolio_2004")

    assert (report["imported"], report["rejected"], report["account"]) == (1595, 0, "pyfolio-pyfolio_2004")
    assert {row["file"].rpartition("/")[2] for row in report["skipped"]} == {"pos.csv", "returns.csv", "gross_lev.csv"}
    tracker = PortfolioTracker(report["account"])
    assert held(tracker) == SHARES_2004
    closes, cash, total = pyfolio_closes(shared_data, SHARES_2004)
    balance = AccountState.objects.get().balance
    # The cash that the run began with was told by the positions of its first day.
    assert balance == D("24022.20491441311")
    assert abs(balance - cash) < D("1e-6")
    tracker.mark_to_market({symbol: quantize(close) for symbol, close in closes.items()}, CLOSE)
    value = Position.objects.filter(status="open").aggregate(sum=Sum("current_value"))["sum"]
    assert abs(CONTEXT.add(balance, value) - total) < D("1e-6")
    assert abs(tracker.calculate_pnl().total - D("40479.95121341311")) < D("1e-12")


def test_pyfolio_packed_and_with_a_broken_line(shared_data, tmp_path):
    lines = (shared_data / "trades/pyfolio_2004/txn.csv").read_text().splitlines(keepends=True)
    lines[500] = lines[500].replace(",", ",x", 1)
    path = tmp_path / "txn.csv.gz"
    path.write_bytes(gzip.compress("".join(lines).encode()))

    report = run_twice("pyfolio", path)

    assert (report["imported"], report["rejected"]) == (1594, 1)
    assert (report["rejected_rows"][0]["line"], report["rejected_rows"][0]["field"]) == (501, "amount")


@pytest.mark.parametrize("name", ["buy_and_hold", "dual_ema_talib"])
def test_zipline_cash_of_every_day_and_shares_across_the_split(shared_data, name):
    report = run_twice("zipline", shared_data / f"trades/zipline/{name}.json")

    made = zipline_run(shared_data, name)
    splits = list(CorporateAction.objects.values_list("symbol__ticker", "kind", "ratio", "effective_at"))
    expected = [("AAPL", "SPLIT", D(7), dt.datetime(2014, 6, 9, tzinfo=dt.UTC))] * (name == "dual_ema_talib")
    assert splits == expected
    assert report["imported"] == len(made["transactions"]) + len(splits)
    assert report["account"] == f"zipline-{name}"
    tracker = PortfolioTracker(report["account"])
    last = [row for row in made["positions"] if row["session"] == made["positions"][-1]["session"]]
    assert held(tracker) == {row["symbol"]: row["amount"] for row in last}
    lines = list(LedgerEntry.objects.order_by("occurred_at", "id").values_list("occurred_at", "amount"))
    cash = ZERO
    for day in made["daily_performance"]:
        while lines and lines[0][0] <= dt.datetime.fromisoformat(day["session"]):
            cash += lines.pop(0)[1]
        assert abs(cash - number(day["ending_cash"])) < D("1e-8")
    assert not lines


def closed_trips(account):
    return Position.objects.filter(account=account.id, status="closed")


def test_freqtrade_backtest_by_formula(shared_data, tmp_path):
    source = shared_data / "trades/freqtrade/backtest_get_end.json"
    report = run_twice("freqtrade", source)

    assert (report["imported"], report["account"]) == (14, "freqtrade-SampleStrategy-0afc3cf4")
    account = find_account(report["account"])
    assert (account.environment, account.base_currency, account.position_mode) == ("BACKTEST", "USDT", "HEDGING")
    tracker = PortfolioTracker(account)
    assert not tracker.get_current_positions()
    for trip in freqtrade_round_trips(shared_data)[:7]:
        opened = dt.datetime.fromtimestamp(float(trip["open_timestamp"]) / 1000, tz=dt.UTC)
        position = closed_trips(account).get(symbol__ticker=trip["pair"], opened_at=opened)
        assert abs(position.realized_pnl - position.commission - number(trip["profit_abs"])) < D("1e-8")
    # What the source says of its trades is kept, and is what the books come to.
    told = Trade.objects.aggregate(sum=Sum("source_pnl"))["sum"]
    assert abs(told - D("-0.89699471")) < D("1e-8")
    assert abs(AccountState.objects.get().balance - D("999.10300529")) < D("1e-7")
    reasons = Trade.objects.exclude(exit_reason="").values_list("exit_reason", "extra__exit_reason")
    assert sorted(reasons) == [("OTHER", "SL: bbaadd")] * 3 + [("STOP", "stop_loss")] * 4
    # The same result as freqtrade stores it now, in a zip, is the same run.
    packed = tmp_path / "backtest-result.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        result = json.loads(source.read_text(), parse_float=D)["backtest_result"]
        archive.writestr("backtest-result.json", json.dumps(result, default=float))
        archive.writestr("backtest-result_config.json", "{}")
    again = run("freqtrade", packed)
    assert (again["imported"], again["duplicates"]) == (0, 14)


def test_freqtrade_api_and_database_tell_the_same_trades(shared_data, tmp_path):
    source = shared_data / "trades/freqtrade/trades.json"
    report = run_twice("freqtrade", source)

    assert (report["imported"], report["account"]) == (12, "freqtrade")  # 6 orders and their fills
    tracker = PortfolioTracker("freqtrade")
    assert not tracker.get_current_positions()
    by_trip = dict(closed_trips(find_account("freqtrade")).values_list("symbol__ticker", "realized_pnl"))
    assert len(by_trip) == 3
    for trip in freqtrade_round_trips(shared_data)[7:]:
        position = closed_trips(find_account("freqtrade")).get(symbol__ticker=trip["pair"])
        assert abs(position.realized_pnl - position.commission - number(trip["profit_abs"])) < D("1e-8")
    assert Order.objects.filter(status="filled").count() == 6
    database = tmp_path / "tradesv3.sqlite"
    write_database(database, json.loads(source.read_text())["trades"])
    same = run("freqtrade", database)
    assert (same["imported"], same["duplicates"], same["conflicts"]) == (0, 12, 0)


def test_freqtrade_database_alone(shared_data, tmp_path):
    trades = json.loads((shared_data / "trades/freqtrade/trades.json").read_text())["trades"]
    trades[1]["orders"][0]["status"] = "lost"
    database = tmp_path / "tradesv3.sqlite"
    write_database(database, trades)

    report = run_twice("freqtrade", database)

    assert (report["imported"], report["rejected"]) == (8, 1)
    assert (report["rejected_rows"][0]["path"], report["rejected_rows"][0]["field"]) == ("trades.id=2", "status")


def test_nof1_of_26_october(shared_data):
    folder = shared_data / "nof1/2025-10-26"
    report = run_twice("copy_ai", folder)

    assert (report["records"], report["imported"], report["rejected"]) == (232, 462, 0)
    assert len(report["skipped"]) == len(list(folder.iterdir())) - 2
    trips = json.loads((folder / "trades.json").read_text(), parse_float=D)["trades"]
    told, analytics = defaultdict(D), json.loads((folder / "analytics.json").read_text(), parse_float=D)["analytics"]
    for model, profit in Trade.objects.exclude(source_pnl=None).values_list("model_id", "source_pnl"):
        told[model] += profit
    for one in analytics:
        figure = one["fee_pnl_moves_breakdown_table"]["overall_pnl_with_fees"]
        # The API gives the last hundred trades of gemini only.
        assert (abs(told[one["model_id"]] - figure) < D("1e-6")) is (one["model_id"] != "gemini-2.5-pro")
        won = Trade.objects.filter(model_id=one["model_id"], source_pnl__gt=0).count()
        rate = 100 * won / Trade.objects.filter(model_id=one["model_id"]).exclude(source_pnl=None).count()
        told_rate = float(one["winners_losers_breakdown_table"]["win_rate"])
        assert (abs(rate - told_rate) < 1e-9) is (one["model_id"] != "gemini-2.5-pro")
    assert round(sum(told.values()), 6) == D("-12267.112929")
    tracker = PortfolioTracker(report["account"])
    assert not tracker.get_current_positions()
    by_model = tracker.calculate_pnl(by="model")
    for model, pnl in by_model.items():
        mine = [trip for trip in trips if trip["model_id"] == model]
        assert pnl.realized == sum((trip["exit_price"] - trip["entry_price"]) * trip["quantity"] for trip in mine)
        assert pnl.commission == sum(
            trip["entry_commission_dollars"] + trip["exit_commission_dollars"] for trip in mine
        )
    assert round(sum(pnl.realized for pnl in by_model.values()), 6) == D("-10131.920190")
    assert round(sum(pnl.commission for pnl in by_model.values()), 6) == D("2204.733425")
    assert closed_trips(find_account(report["account"])).count() == 230
    exit_ = Trade.objects.get(external_id="gpt-5_c1a99ee5-bb08-49f0-a5ad-ef916bda243e:exit")
    assert exit_.executed_at == dt.datetime(2025, 10, 25, 19, 3, 11, 842000, tzinfo=dt.UTC)
    assert exit_.extra["total_commission_dollars"] == "3.741711"
    assert (exit_.action, exit_.leverage, exit_.instrument_type, exit_.strategy_used) == (
        "sell",
        1,
        "LEVERAGED",
        "gpt-5",
    )


def test_account_totals_of_nof1_are_kept_as_told(shared_data):
    path = shared_data / "nof1/2025-10-26/account-totals.excerpt.json"
    report = run_twice("copy_ai", path)

    assert (report["records"], report["imported"], report["rejected"]) == (2, 2, 0)
    rows = {row.source: row for row in AccountTotals.objects.all()}
    told = {f"nof1:{one['model_id']}": one for one in json.loads(path.read_text(), parse_float=D)["accountTotals"]}
    assert rows.keys() == told.keys() == {"nof1:gpt-5", "nof1:grok-4"}
    for source, row in rows.items():
        held = told[source]["positions"].values()
        assert row.total_unrealized_pnl == quantize(told[source]["total_unrealized_pnl"])
        # They add up as floats do.
        assert abs(row.total_unrealized_pnl - sum(one["unrealized_pnl"] for one in held)) < D("1e-9")
        assert (row.total_margin, row.total_commission, row.open_positions) == (
            sum(one["margin"] for one in held), sum(one["commission"] for one in held), len(held),
        )  # fmt: skip
        assert row.timestamp.timestamp() == pytest.approx(float(told[source]["timestamp"]), abs=1e-6)
    off = {
        source: row.total_value - (10_000 + row.realized_pnl + row.total_unrealized_pnl) for source, row in rows.items()
    }
    # gpt-5 adds up. grok-4 does not, by the source's own figures, which stay as they are.
    assert abs(off["nof1:gpt-5"]) < D("1e-6")
    assert round(off["nof1:grok-4"], 6) == D("199.791860")


def test_positions_of_nof1_are_held_as_told_and_marked_beside_what_it_says(shared_data):
    totals = json.loads((shared_data / "nof1/2025-10-26/account-totals.excerpt.json").read_text(), parse_float=D)
    for one in totals["accountTotals"]:
        tracker = PortfolioTracker(friren.open_account(one["id"], position_mode="HEDGING"))
        at = dt.datetime.fromtimestamp(float(one["timestamp"]), dt.UTC)
        for symbol, position in one["positions"].items():
            tracker.record_trade(
                symbol=symbol, action="short" if position["quantity"] < 0 else "buy",
                quantity=abs(position["quantity"]), price=position["entry_price"], leverage=position["leverage"],
                timestamp=dt.datetime.fromtimestamp(float(position["entry_time"]), dt.UTC),
                stop_loss_price=position["exit_plan"]["stop_loss"],
                target_price=position["exit_plan"]["profit_target"],
            )  # fmt: skip
        tracker.mark_to_market({name: held["current_price"] for name, held in one["positions"].items()}, at)
        for row in Position.objects.select_related("symbol").filter(account=tracker.account.id):
            source = one["positions"][row.symbol.ticker]
            assert (row.side, row.quantity) == (
                "SHORT" if source["quantity"] < 0 else "LONG", abs(source["quantity"])
            )  # fmt: skip
            assert row.leverage == source["leverage"]
            assert row.unrealized_pnl == (source["current_price"] - source["entry_price"]) * source["quantity"]
            assert row.margin == quantize(row.total_cost / row.leverage)
            # Theirs is another price of the same second, a margin that moves with the market, and a maintenance margin.
            assert abs(row.unrealized_pnl - source["unrealized_pnl"]) < D("1.5")
            assert abs(row.margin / source["margin"] - 1) < D("0.1")
            assert abs(row.liquidation_price / source["liquidation_price"] - 1) < D("0.051")
            held = next(one for one in tracker.get_current_positions() if one.symbol == row.symbol.ticker)
            away = abs(row.liquidation_price - row.current_price) / row.current_price
            assert row.liquidation_distance == held.liquidation_distance == quantize(away)
            assert (row.liquidation_price > row.current_price) is (row.side == "SHORT")
            assert (source["liquidation_price"] > source["current_price"]) is (row.side == "SHORT")


def test_a_later_snapshot_of_nof1_adds_what_is_new_and_keeps_what_changed(shared_data, tmp_path):
    answer = json.loads((shared_data / "nof1/2025-10-26/trades.json").read_text(), parse_float=D)
    path = tmp_path / "trades.json"

    def snapshot(trades):
        path.write_text(json.dumps({"trades": trades}, default=float, indent=1))
        return run("copy_ai", path)

    assert snapshot(answer["trades"][:100])["imported"] == 200
    answer["trades"][7]["exit_price"] *= 2
    answer["trades"][150]["symbol"] = None
    later = snapshot(answer["trades"])

    assert (later["imported"], later["duplicates"], later["conflicts"], later["rejected"]) == (258, 199, 1, 1)
    assert list(later["conflict_rows"][0]["fields"]) == ["price"]
    (refused,) = later["rejected_rows"]
    assert (refused["path"], refused["field"]) == ("trades[150]", "symbol")
    text = path.read_text().splitlines()
    assert '"symbol": null' in "".join(text[refused["line"] - 1 : refused["line"] + 40])


def test_a_folder_without_files_of_the_source_is_named(shared_data, tmp_path):
    shutil.copy(shared_data / "trades/zipline/dual_ema_talib.json", tmp_path / "x.json")

    command = Command(stdout=io.StringIO(), stderr=(stderr := io.StringIO()), no_color=True)
    with pytest.raises(SystemExit, match="1"):
        command.run_from_argv(["manage.py", "import_data", "--source", "freqtrade", str(tmp_path), "--json"])

    assert "no trades of freqtrade" in stderr.getvalue()


def futures_trade(orders, **changes):
    """Return a short trade of freqtrade's API that was built in steps."""
    listed = [
        {
            "order_id": f"o-{index}", "ft_order_side": side, "amount": 1.0, "filled": 1.0, "status": "closed",
            "safe_price": price, "average": price, "price": price, "order_type": "limit", "is_open": False,
            "order_timestamp": 1700000000000 + index * 1000, "order_filled_timestamp": 1700000000500 + index * 1000,
        }
        for index, (side, price) in enumerate(orders)
    ]  # fmt: skip
    return {
        "trade_id": 5, "pair": "BTC/USDT:USDT", "quote_currency": "USDT", "exchange": "bybit", "is_open": True,
        "amount": 2.0, "fee_open": 0.001, "fee_close": 0.001, "open_rate": 105.0, "open_timestamp": 1700000000000,
        "strategy": "S", "leverage": 3.0, "is_short": True, "trading_mode": "futures", "funding_fees": -0.25,
        "initial_stop_loss_abs": 1.170000000000001e-08, "orders": listed,
    } | changes  # fmt: skip


def test_a_short_that_is_built_and_left_in_steps_over_two_snapshots(tmp_path):
    steps = [("sell", 100.0), ("sell", 110.0), ("buy", 90.0), ("buy", 95.0)]
    early, late = tmp_path / "early.json", tmp_path / "late.json"
    early.write_text(json.dumps([futures_trade(steps[:3])]))
    done = {"is_open": False, "close_timestamp": 1700000003500, "close_rate": 92.5, "profit_abs": 24.355}
    late.write_text(json.dumps([futures_trade(steps, **done, exit_reason="roi", profit_ratio=0.11)]))

    first, then = run("freqtrade", early), run_twice_after(late)

    assert (first["imported"], then["imported"], then["duplicates"], then["conflicts"]) == (6, 3, 6, 0)
    tracker = PortfolioTracker("freqtrade")
    assert not tracker.get_current_positions()
    pnl = tracker.calculate_pnl()
    assert (pnl.realized, pnl.commission) == (25, D("0.395"))
    # What it cost to hold it comes beside: funding is a movement of cash.
    assert AccountState.objects.get().balance == D("24.355")
    assert Trade.objects.exclude(source_pnl=None).get().source_pnl == D("24.355")
    assert [trade.action for trade in Trade.objects.order_by("executed_at")] == ["short", "short", "cover", "cover"]
    # The stop has more decimals than the books keep, and can only be a float.
    assert {row["field"] for row in then["changed_rows"]} == {"initial_stop_loss_abs"}
    assert Trade.objects.order_by("executed_at").first().stop_loss_price == D("0.00000001170000000")


def test_a_closed_order_that_does_not_say_what_was_filled_was_filled(tmp_path):
    trade = futures_trade([("sell", 100.0), ("buy", 90.0)], is_open=False, close_timestamp=1700000001500)
    trade["orders"][1] |= {"filled": None, "order_filled_timestamp": None}
    write_database(tmp_path / "tradesv3.sqlite", [trade])

    report = run_twice("freqtrade", tmp_path / "tradesv3.sqlite")

    assert (report["imported"], report["rejected"]) == (5, 0)
    assert not PortfolioTracker("freqtrade").get_current_positions()


def run_twice_after(path):
    """Return the report of an import after another snapshot, once a second run has imported nothing."""
    first, second = run("freqtrade", path), run("freqtrade", path)
    assert (second["imported"], second["duplicates"]) == (0, first["imported"] + first["duplicates"])
    return first


def test_a_backtest_without_trades_is_no_failure(tmp_path):
    path = tmp_path / "backtest-result-2026-01-05.json"
    path.write_text(
        json.dumps({"strategy": {"Shy": {"trades": [], "starting_balance": 1000, "stake_currency": "USDT"}}})
    )

    report = run("freqtrade", path)

    assert (report["records"], report["account"]) == (0, "freqtrade-Shy-backtest-result-2026-01-05")
