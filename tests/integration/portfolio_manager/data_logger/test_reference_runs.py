"""Recorded runs of other systems, told to PortfolioTracker: their own figures come out of the stored books."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal

import pytest
from django.db.models import Sum

from friren.accounts import open_account
from friren.core.numbers import CONTEXT, ZERO, quantize
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import AccountState, LedgerEntry, Position
from tests.books import (
    freqtrade_round_trips,
    freqtrade_trades,
    number,
    pyfolio_closes,
    pyfolio_trades,
    zipline_run,
    zipline_trades,
)
from tests.stored_books import folded_books, stored_books
from trading_engine.services import TradeLogger

pytestmark = pytest.mark.usefixtures("database")
D = Decimal
SHARES_2004 = {"AMD": 2139, "CERN": 2092, "COST": -170, "DELL": 424, "GPS": -6, "INTC": 2514, "MMM": 25}
CLOSE = dt.datetime(2004, 12, 31, 21, tzinfo=dt.UTC)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("basis", "realized"),
    [("AVERAGE", "40025.960340977955"), ("FIFO", "39940.43213941311"), ("LIFO", "40060.79629841311")],
)
def test_pyfolio_2004(shared_data, basis: str, realized: str) -> None:
    account = open_account("pyfolio", starting_cash=100_000, cost_basis=basis)
    tracker = PortfolioTracker(account)
    trades = pyfolio_trades(shared_data)
    # Most were logged before; those that are recorded find them unbooked, or booked.
    assert TradeLogger(account).bulk_log(trades[:1200]).stored == 1200
    outcomes = Counter(tracker.record_trade(**trade).outcome for trade in trades[1100:])
    assert outcomes == {"DUPLICATE": 100, "STORED": 395}
    held = {
        row.symbol: row.quantity if row.side == "LONG" else -row.quantity for row in tracker.get_current_positions()
    }
    assert held == SHARES_2004
    closes, cash, total = pyfolio_closes(shared_data, held)
    balance = AccountState.objects.get().balance
    assert balance == D("24022.20491441311")
    assert abs(balance - cash) < D("1e-6")
    marked = tracker.mark_to_market({symbol: quantize(close) for symbol, close in closes.items()}, CLOSE)
    assert (marked.positions, marked.unpriced) == (7, ())
    value = Position.objects.filter(status="open").aggregate(sum=Sum("current_value"))["sum"]
    assert abs(CONTEXT.add(balance, value) - total) < D("1e-6")
    pnl = tracker.calculate_pnl()
    assert abs(pnl.realized - D(realized)) < D("1e-12")
    assert abs(pnl.total - D("40479.95121341311")) < D("1e-12")
    assert stored_books(account.id) == folded_books(account)


@pytest.mark.parametrize("name", ["buy_and_hold", "dual_ema_talib"])
def test_zipline_cash_of_every_day_and_shares_across_the_split(shared_data, name: str) -> None:
    run = zipline_run(shared_data, name)
    account = open_account("zipline", starting_cash=10_000_000)
    tracker = PortfolioTracker(account)
    if name == "dual_ema_talib":
        tracker.apply_corporate_action("AAPL", "SPLIT", dt.datetime(2014, 6, 9, tzinfo=dt.UTC), ratio=7)
    for trade in zipline_trades(run):
        tracker.record_trade(**trade)
    # The split was told first of all: the fills before it came late.
    moves = dict.fromkeys((entry["session"] for entry in run["daily_performance"]), ZERO)
    lines = list(LedgerEntry.objects.order_by("occurred_at", "id").values_list("occurred_at", "amount"))
    cash = ZERO
    for day in run["daily_performance"]:
        close = dt.datetime.fromisoformat(day["session"])
        while lines and lines[0][0] <= close:
            cash += lines.pop(0)[1]
        assert abs(cash - number(day["ending_cash"])) < D("1e-8")
    assert (len(lines), len(moves)) == (0, len(run["daily_performance"]))
    last = [row for row in run["positions"] if row["session"] == run["positions"][-1]["session"]]
    held = {row.symbol: row.quantity for row in tracker.get_current_positions()}
    assert held == {row["symbol"]: row["amount"] for row in last}
    tracker.mark_to_market({row["symbol"]: number(row["last_sale_price"]) for row in last}, close)
    value = sum(row.current_value for row in tracker.get_current_positions())
    assert abs(value - number(run["daily_performance"][-1]["ending_value"])) < D("1e-8")
    assert stored_books(account.id) == folded_books(account)


def test_freqtrade_round_trips_in_one_book(shared_data) -> None:
    trips = freqtrade_round_trips(shared_data)
    account = open_account("freqtrade", base_currency="USDT", position_mode="HEDGING")
    logger, tracker = TradeLogger(account), PortfolioTracker(account)
    for trade in freqtrade_trades(trips):
        logger.log_trade(**trade)
    assert not tracker.get_current_positions()
    for index, trip in enumerate(trips):
        position = Position.objects.get(strategy_used=f"trip {index}")
        assert abs(position.realized_pnl - position.commission - number(trip["profit_abs"])) < D("1e-8")
    by_trip = tracker.calculate_pnl(by="strategy")
    assert sum(pnl.net for pnl in by_trip.values()) == tracker.calculate_pnl().net
    assert stored_books(account.id) == folded_books(account)
