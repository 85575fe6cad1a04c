"""The books are a function of the set of facts: neither their order of arrival nor the way they came in matters."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from friren.accounts import open_account
from friren.core.numbers import CONTEXT
from friren.persistence.facts import forget_natural_keys
from portfolio_manager.data_logger import PortfolioTracker
from tests.books import at, uid
from tests.stored_books import folded_books, stored_books
from trading_engine.services import TradeLogger

pytestmark = pytest.mark.usefixtures("database")
D = Decimal
MODES = [("AVERAGE", "NETTING"), ("FIFO", "NETTING"), ("LIFO", "HEDGING")]


def calls_of_a_busy_week(rng: random.Random) -> list[tuple[str, dict]]:
    """Fills, bets, cash, splits, dividends and a resolution, as (method, keywords), in the order of time."""
    calls: list[tuple[str, dict]] = []
    for number in range(45):
        leveraged = rng.random() < 0.25
        calls.append(
            (
                "record_trade",
                {
                    "trade_id": uid(number),
                    "symbol": rng.choice(["AAPL", "MSFT"]),
                    "action": rng.choice(["buy", "sell", "short", "cover"]),
                    "quantity": D(rng.randint(1, 20)) / rng.choice([1, 4]),
                    "price": D(rng.randint(100, 20000)) / 100,
                    "timestamp": at(number // 2),  # pairs share their moment: the id decides
                    "strategy_used": rng.choice(["", "a"]),
                    "commission": rng.choice([None, D("0.35"), D("-0.1")]),
                    "commission_currency": rng.choice([None, None, "BNB"]),
                    "leverage": D(rng.choice([3, 10])) if leveraged else None,
                    "stop_loss_price": rng.choice([None, D(rng.randint(50, 90))]),
                    "round_trip": rng.choice([None, None, uid(7000)]),
                    "regime_at_entry": rng.choice(["BULL", "BEAR", None]),
                },
            )
        )
    for number in range(45, 60):
        action = rng.choice(["buy_yes", "buy_no", "sell_yes", "sell_no"])
        stake = D(rng.randint(1, 400)) / 7
        calls.append(
            (
                "record_trade",
                {
                    "trade_id": uid(number),
                    "market": "fed-june",
                    "action": action,
                    "quantity": D(rng.randint(1, 90)),
                    "price": D(rng.randint(1, 99)) / 100,
                    "amount": rng.choice([None, stake.quantize(D("1e-18"))]),
                    "timestamp": at(number - 40),
                },
            )
        )
    calls += [
        ("record_cash", {"kind": "FUNDING", "amount": D("-1.25"), "at": at(3), "movement_id": uid(5001)}),
        ("record_cash", {"kind": "INTEREST", "amount": D(2), "at": at(8), "currency": "EUR", "movement_id": uid(5002)}),
        ("apply_corporate_action", {"symbol": "AAPL", "kind": "SPLIT", "effective_at": at(6.5), "ratio": D(3)}),
        ("apply_corporate_action", {"symbol": "AAPL", "kind": "SPLIT", "effective_at": at(14), "ratio": D("0.1")}),
        ("apply_corporate_action", {"symbol": "MSFT", "kind": "DIVIDEND", "effective_at": at(9), "amount": D("0.3")}),
        ("apply_corporate_action", {"symbol": "AAPL", "kind": "DIVIDEND", "effective_at": at(17), "amount": D(1)}),
        ("resolve_market", {"market": "fed-june", "outcome": "YES", "resolved_at": at(14)}),
    ]
    return calls


def tell(account, calls, rng: random.Random) -> None:
    """Make the calls; some trades are only logged, and some booked by hand, some twice."""
    tracker, logger = PortfolioTracker(account), TradeLogger(account)
    for method, keywords in calls:
        way = rng.random()
        if method == "record_trade" and way < 0.4:
            receipt = logger.log_trade(**keywords)
            if way < 0.15:
                tracker.update_position(receipt)
        else:
            getattr(tracker, method)(**keywords)
            if way > 0.9:
                assert getattr(tracker, method)(**keywords).outcome == "DUPLICATE"
    tracker.get_current_positions()


@pytest.fixture
def empty(emptier):
    """What empties the database within a test."""

    def empty() -> None:
        emptier.empty()
        forget_natural_keys()

    return empty


def open_book(basis: str, mode: str):
    return open_account("books", starting_cash=D(1000), cost_basis=basis, position_mode=mode)


@pytest.mark.parametrize(
    ("orders", "basis", "mode"), [(20, "AVERAGE", "NETTING"), (5, "FIFO", "NETTING"), (5, "LIFO", "HEDGING")]
)
def test_random_orders_of_arrival_give_identical_books(empty, orders: int, basis: str, mode: str) -> None:
    calls = calls_of_a_busy_week(random.Random(f"{basis} {mode}"))
    told: list = []
    for number in range(orders):
        rng = random.Random(number)
        account = open_book(basis, mode)
        tell(account, calls if number == 0 else rng.sample(calls, len(calls)), rng)
        told.append(without_serial_keys(stored_books(account.id)))
        if number == 0:
            assert stored_books(account.id) == folded_books(account)
            assert len(told[0]["Position"]) > 8
        assert told[-1] == told[0]
        empty()


def without_serial_keys(books):
    """Symbols are numbered in the order in which they are met, so their ids differ from one order to another."""
    from trading_engine.models import Symbol

    tickers = dict(Symbol.objects.values_list("id", "ticker"))
    for row in books["Position"].values():
        row["symbol_id"] = tickers.get(row["symbol_id"])
    return books


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), shape=st.sampled_from(MODES))
def test_busts_and_corrections_leave_the_books_of_what_remains(empty, seed: int, shape: tuple[str, str]) -> None:
    empty()
    rng = random.Random(seed)
    account = open_book(*shape)
    calls = rng.sample(calls_of_a_busy_week(rng), 40)
    tell(account, calls, rng)
    logger = TradeLogger(account)
    trades = [keywords for method, keywords in calls if method == "record_trade"]
    for keywords in rng.sample(trades, 6):
        if rng.random() < 0.5:
            logger.bust_trade(keywords["trade_id"], reason="wrong")
        else:
            right = keywords | {"trade_id": None, "quantity": CONTEXT.add(keywords["quantity"], D(1))}
            logger.correct_trade(keywords["trade_id"], reason="wrong", corrected=right)
        if rng.random() < 0.5:
            PortfolioTracker(account).get_current_positions()
    tracker = PortfolioTracker(account)
    tracker.get_current_positions()
    assert stored_books(account.id) == folded_books(account)
    assert tracker.rebuild(check=True).differences == ()


def test_bust_and_rebook_of_everything_restores_every_digit() -> None:
    account = open_book("FIFO", "NETTING")
    tracker, logger = PortfolioTracker(account), TradeLogger(account)
    fill = {"symbol": "AAPL", "action": "buy", "quantity": D("0.3"), "price": D("33.333333333333333333")}
    kept = [tracker.record_trade(**fill, timestamp=at(n)) for n in (1, 5)]
    before = stored_books(account.id)
    wrong = tracker.record_trade(**(fill | {"action": "sell", "quantity": D("0.4")}), timestamp=at(3))
    assert stored_books(account.id) != before
    logger.bust_trade(wrong, reason="never happened")
    assert tracker.update_position(kept[0]).outcome == "DUPLICATE"
    assert stored_books(account.id) == before
