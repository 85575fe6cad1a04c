"""Profit by the keys of the opening trade, and what open positions are worth."""

from __future__ import annotations

from decimal import Decimal

import pytest

from friren.accounts import open_account
from friren.errors import RejectedRecordError
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import Position
from tests.books import at
from trading_engine.models import Symbol

pytestmark = pytest.mark.usefixtures("database")
D = Decimal


@pytest.fixture
def tracker():
    return PortfolioTracker(open_account("books", starting_cash=D(10_000)))


def tell(tracker, minute, action, quantity, price, **more):
    given = {"symbol": "AAPL"} | more
    if "market" in given:
        del given["symbol"]
    return tracker.record_trade(action=action, quantity=D(quantity), price=D(price), timestamp=at(minute), **given)


def test_profit_is_realised_and_unrealised_and_the_whole(tracker) -> None:
    tell(tracker, 1, "buy", "10", "100", commission=D(1))
    tell(tracker, 2, "sell", "4", "110", commission=D("0.5"))
    tracker.mark_to_market({"AAPL": D(105)}, at(3))
    pnl = tracker.calculate_pnl()
    assert (pnl.realized, pnl.unrealized, pnl.total) == (D(40), D(30), D(70))
    assert (pnl.commission, pnl.net, pnl.currency, pnl.unmarked) == (D("1.5"), D("68.5"), "USD", 0)


@pytest.mark.parametrize(("basis", "realized"), [("AVERAGE", "0"), ("FIFO", "150"), ("LIFO", "-150")])
def test_profit_follows_the_cost_basis_of_the_account(basis: str, realized: str) -> None:
    tracker = PortfolioTracker(open_account("other", cost_basis=basis))
    for minute, action, price in ((1, "buy", "15"), (2, "buy", "45"), (3, "sell", "30")):
        tell(tracker, minute, action, "10", price)
    assert tracker.calculate_pnl().realized == D(realized)


def test_shorts_and_bets_earn_too(tracker) -> None:
    tell(tracker, 1, "short", "10", "50")
    tell(tracker, 2, "cover", "10", "45")
    tell(tracker, 1, "buy_yes", "100", "0.4", market="m")
    tell(tracker, 2, "buy_no", "100", "0.5", market="m")
    tracker.mark_to_market({"m": D("0.7")}, at(3))
    by_symbol = tracker.calculate_pnl(by="symbol")
    assert (by_symbol["AAPL"].realized, by_symbol["m"].unrealized) == (D(50), D(30 - 20))


def test_the_keys_are_those_of_the_opening_trade(tracker) -> None:
    tell(tracker, 1, "buy", "10", "10", regime_at_entry="BULL", model_id="m1", strategy_used="a")
    tell(tracker, 2, "sell", "15", "12", regime_at_entry="BEAR", model_id="m2", strategy_used="a")
    tell(tracker, 3, "cover", "5", "11", regime_at_entry="CRISIS", model_id="m3", strategy_used="a")
    tell(tracker, 4, "buy", "1", "10", strategy_used="b")

    def realized(by):
        return {key: pnl.realized for key, pnl in tracker.calculate_pnl(by=by).items()}

    assert realized("regime") == {"BULL": D(20), "BEAR": D(5), "": D(0)}
    assert realized("model") == {"m1": D(20), "m2": D(5), "": D(0)}
    assert realized("strategy") == {"a": D(25), "b": D(0)}
    assert realized("symbol") == {"AAPL": D(25)}


def test_a_period_counts_its_own_fills_and_no_open_profit(tracker) -> None:
    tell(tracker, 1, "buy", "10", "10", commission=D(1))
    tell(tracker, 2, "sell", "5", "12", commission=D(1))
    tell(tracker, 4, "sell", "4", "15", commission=D(1))
    tracker.mark_to_market({"AAPL": D(20)}, at(5))
    first = tracker.calculate_pnl(end=at(4))
    assert (first.realized, first.unrealized, first.commission) == (D(10), D(0), D(2))
    second = tracker.calculate_pnl(start=at(4))
    assert (second.realized, second.unrealized, second.commission) == (D(20), D(10), D(1))


def test_positions_without_a_mark_are_counted_not_guessed(tracker) -> None:
    tell(tracker, 1, "buy", "10", "10")
    assert (tracker.calculate_pnl().unrealized, tracker.calculate_pnl().unmarked) == (D(0), 1)


def test_profit_in_another_currency_is_never_converted(tracker) -> None:
    Symbol.objects.create(ticker="SAP", currency="EUR")
    tell(tracker, 1, "buy", "1", "10", symbol="SAP")
    tell(tracker, 2, "sell", "1", "13", symbol="SAP")
    pnl = tracker.calculate_pnl()
    assert (pnl.currency, pnl.realized) == ("USD", D(0))
    assert [(other.currency, other.realized) for other in pnl.other_currencies] == [("EUR", D(3))]
    assert tracker.calculate_pnl(by="symbol")["SAP"].currency == "EUR"


def test_an_empty_book_has_no_profit(tracker) -> None:
    pnl = tracker.calculate_pnl()
    assert (pnl.realized, pnl.unrealized, pnl.total, pnl.commission) == (D(0), D(0), D(0), D(0))
    assert tracker.calculate_pnl(by="symbol") == {}


def test_a_mark_shows_price_value_and_profit(tracker) -> None:
    tell(tracker, 1, "buy", "10", "100")
    tell(tracker, 1, "short", "4", "50", symbol="MSFT")
    report = tracker.mark_to_market({"AAPL": D(110), ("MSFT", ""): 60, "UNHELD": D(1)}, at(2))
    assert (report.positions, report.unpriced) == (2, ())
    rows = {row.symbol: row for row in tracker.get_current_positions()}
    assert (rows["AAPL"].current_price, rows["AAPL"].current_value, rows["AAPL"].unrealized_pnl) == (
        D(110),
        D(1100),
        D(100),
    )
    assert (rows["MSFT"].current_value, rows["MSFT"].unrealized_pnl, rows["MSFT"].marked_at) == (D(-240), D(-40), at(2))


def test_a_leveraged_position_shows_margin_and_liquidation_price(tracker) -> None:
    tell(tracker, 1, "buy", "2", "100", leverage=D(10))
    tracker.mark_to_market({"AAPL": D(101)}, at(2))
    (row,) = tracker.get_current_positions()
    assert (row.margin, row.liquidation_price, row.unrealized_pnl, row.leverage) == (D(20), D(90), D(2), D(10))


def test_what_is_held_without_a_price_is_named(tracker) -> None:
    tell(tracker, 1, "buy", "1", "1", symbol="B")
    tell(tracker, 1, "buy", "1", "1", symbol="A")
    assert tracker.mark_to_market({}, at(2)).unpriced == ("A", "B")


def test_an_older_mark_does_not_replace_a_newer_one(tracker) -> None:
    tell(tracker, 1, "buy", "1", "10")
    tracker.mark_to_market({"AAPL": D(12)}, at(5))
    assert tracker.mark_to_market({"AAPL": D(11)}, at(4)).positions == 0
    assert Position.objects.get().current_price == D(12)


def test_a_fill_keeps_the_mark_in_step_and_a_close_ends_it(tracker) -> None:
    tell(tracker, 1, "buy", "10", "10")
    tracker.mark_to_market({"AAPL": D(12)}, at(2))
    tell(tracker, 3, "sell", "4", "13")
    assert (Position.objects.get().current_value, Position.objects.get().unrealized_pnl) == (D(72), D(12))
    tell(tracker, 4, "sell", "6", "13")
    assert (Position.objects.get().current_value, Position.objects.get().unrealized_pnl) == (None, None)


@pytest.mark.parametrize(
    ("prices", "moment", "field"),
    [
        ({"AAPL": 1.5}, at(2), "prices['AAPL']"),
        ({"AAPL": D("NaN")}, at(2), "prices['AAPL']"),
        ({"AAPL": D("1e20")}, at(2), "prices['AAPL']"),
        ([("AAPL", D(1))], at(2), "prices"),
        ({"AAPL": D(1)}, at(2).replace(tzinfo=None), "at"),
    ],
)
def test_a_bad_mark_is_refused_and_marks_nothing(tracker, prices, moment, field: str) -> None:
    tell(tracker, 1, "buy", "10", "10")
    with pytest.raises(RejectedRecordError) as refusal:
        tracker.mark_to_market(prices, moment)
    assert refusal.value.field == field
    assert Position.objects.get().current_price is None


@pytest.mark.parametrize(
    ("arguments", "field"),
    [({"by": "venue"}, "by"), ({"start": "2026-01-01"}, "start"), ({"end": at(1).replace(tzinfo=None)}, "end")],
)
def test_a_bad_question_is_refused(tracker, arguments, field: str) -> None:
    with pytest.raises(RejectedRecordError) as refusal:
        tracker.calculate_pnl(**arguments)
    assert refusal.value.field == field
