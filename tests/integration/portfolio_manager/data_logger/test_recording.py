"""PortfolioTracker stores and books in one commit, and books what others stored."""

from __future__ import annotations

import time
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import transaction
from django.test.utils import CaptureQueriesContext

from friren.accounts import open_account
from friren.core.ids import new_id
from friren.errors import KeyReusedError, RejectedRecordError
from friren.persistence.engines import engine_for
from portfolio_manager.booking import catch_up
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import AccountState, CashMovement, CorporateAction, LedgerEntry, Position, PositionFill
from tests.books import at
from tests.stored_books import folded_books, stored_books
from trading_engine.models import Symbol, Trade
from trading_engine.services import TradeLogger

pytestmark = pytest.mark.usefixtures("database")
D = Decimal


@pytest.fixture
def account():
    return open_account("books", starting_cash=D(1000))


@pytest.fixture
def tracker(account):
    return PortfolioTracker(account)


def buy(minute, quantity="10", price="10", **more):
    return {
        "symbol": "AAPL",
        "action": "buy",
        "quantity": D(quantity),
        "price": D(price),
        "timestamp": at(minute),
    } | more


def sell(minute, quantity="10", price="10", **more):
    return buy(minute, quantity, price, **({"action": "sell"} | more))


def only_position():
    return Position.objects.get()


def test_a_recorded_trade_is_stored_and_booked(tracker, account) -> None:
    receipt = tracker.record_trade(**buy(1, "10", "12.5", commission=D(1), regime_at_entry="BULL"))
    assert receipt.outcome == "STORED"
    position = only_position()
    assert (position.trade_id, position.quantity, position.total_cost) == (receipt.id, D(10), D(125))
    assert (position.regime_at_entry, position.opened_at, position.status) == ("BULL", at(1), "open")
    state = AccountState.objects.get()
    assert (state.balance, state.total_invested, state.trade_count) == (D(874), D(125), 1)
    assert stored_books(account.id) == folded_books(account)


def test_recording_it_again_is_a_duplicate_and_changes_nothing(tracker, account) -> None:
    key = new_id()
    tracker.record_trade(**buy(1), trade_id=key)
    before = stored_books(account.id)
    assert tracker.record_trade(**buy(1), trade_id=key).outcome == "DUPLICATE"
    assert stored_books(account.id) == before


def test_a_duplicate_of_a_trade_that_was_only_logged_is_booked(tracker, account) -> None:
    TradeLogger(account).log_trade(**buy(1), venue="X", external_id="77")
    assert tracker.record_trade(**buy(1), venue="X", external_id="77").outcome == "DUPLICATE"
    assert only_position().quantity == D(10)


def test_a_reused_key_is_refused_and_nothing_is_stored_or_booked(tracker, account) -> None:
    tracker.record_trade(**buy(1), venue="X", external_id="77")
    before = stored_books(account.id)
    with pytest.raises(KeyReusedError):
        tracker.record_trade(**buy(1, "11"), venue="X", external_id="77")
    assert Trade.objects.count() == 1
    assert stored_books(account.id) == before


def test_a_fill_that_the_books_cannot_hold_is_refused_and_not_stored(tracker) -> None:
    tracker.record_trade(**buy(1, "6e19", "1"))
    with pytest.raises(RejectedRecordError, match="1e20"):
        tracker.record_trade(**buy(2, "6e19", "1"))
    assert Trade.objects.count() == 1


def test_update_position_books_once_whatever_is_stored(tracker, account) -> None:
    logger = TradeLogger(account)
    first, second = logger.log_trade(**buy(1)), logger.log_trade(**sell(2, "4", "11"))
    assert tracker.update_position(first).outcome == "STORED"
    assert only_position().quantity == D(6)
    assert tracker.update_position(second.id).outcome == "DUPLICATE"
    assert tracker.update_position(Trade.objects.get(id=first.id)).outcome == "DUPLICATE"
    assert stored_books(account.id) == folded_books(account)


@pytest.mark.parametrize("trade", [new_id(), "no uuid", 7])
def test_update_position_refuses_what_is_not_stored(tracker, trade) -> None:
    with pytest.raises(RejectedRecordError, match="trade="):
        tracker.update_position(trade)


def test_a_trade_of_another_account_is_not_booked_here(tracker) -> None:
    other = TradeLogger(open_account("other")).log_trade(**buy(1))
    with pytest.raises(RejectedRecordError, match="not stored in this account"):
        tracker.update_position(other)


def test_a_late_fill_refolds_what_followed_it(tracker, account) -> None:
    tracker.record_trade(**buy(1, "10", "10"))
    tracker.record_trade(**sell(3, "5", "20"))
    assert only_position().realized_pnl == D(50)
    tracker.record_trade(**buy(2, "10", "40"))
    assert only_position().realized_pnl == D(-25)
    assert stored_books(account.id) == folded_books(account)


def test_a_late_opening_becomes_the_position_and_the_old_one_goes(tracker, account) -> None:
    tracker.record_trade(**sell(2, "4", "10"))
    assert only_position().side == "SHORT"
    first = tracker.record_trade(**buy(1, "10", "9"))
    position = only_position()
    assert (position.trade_id, position.side, position.quantity, position.realized_pnl) == (
        first.id,
        "LONG",
        D(6),
        D(4),
    )
    assert stored_books(account.id) == folded_books(account)


def test_late_facts_write_only_rows_that_come_out_differently(tracker, account) -> None:
    for minute in (1, 3, 5, 7):
        tracker.record_trade(**buy(minute), strategy_used="a")
        tracker.record_trade(**sell(minute + 1), strategy_used="a")
    stamps = {row.id: row.updated_at for row in Position.objects.all()}
    TradeLogger(account).log_trade(**buy(3.25), strategy_used="a")
    tracker.record_trade(**sell(3.5), strategy_used="a")
    moved = [row for row in Position.objects.all() if stamps.get(row.id) != row.updated_at]
    assert Position.objects.count() == 4
    assert [row.opened_at for row in moved] == [at(3)]


def test_strategies_and_leverage_hold_apart(tracker) -> None:
    tracker.record_trade(**buy(1), strategy_used="a")
    tracker.record_trade(**sell(2), strategy_used="b")
    tracker.record_trade(**buy(3), strategy_used="a", leverage=D(5))
    assert sorted((p.strategy_used, p.instrument_type, p.side) for p in Position.objects.all()) == [
        ("a", "EQUITY", "LONG"),
        ("a", "LEVERAGED", "LONG"),
        ("b", "EQUITY", "SHORT"),
    ]


def test_an_instrument_counts_with_its_multiplier_and_its_currency(tracker, account) -> None:
    Symbol.objects.create(ticker="FDAX", currency="EUR", multiplier=D(25))
    tracker.record_trade(**(buy(1, "1", "100", commission=D(2)) | {"symbol": "FDAX"}))
    state = AccountState.objects.get()
    assert (state.balance, state.balances, state.total_invested) == (D(1000), {"EUR": "-2502"}, D(0))
    assert stored_books(account.id) == folded_books(account)


def test_cash_is_booked_with_its_movement(tracker, account) -> None:
    assert tracker.record_cash("withdrawal", D(-250), at(1)).outcome == "STORED"
    assert tracker.record_cash("FUNDING", D("-0.25"), at(2), currency="USDT", symbol="BTCUSDT").outcome == "STORED"
    state = AccountState.objects.get()
    assert (state.balance, state.balances) == (D(750), {"USDT": "-0.25"})
    assert LedgerEntry.objects.count() == 3
    assert stored_books(account.id) == folded_books(account)


def test_cash_told_twice_by_its_venue_is_one_movement(tracker) -> None:
    for expected in ("STORED", "DUPLICATE"):
        assert tracker.record_cash("FEE", D(-1), at(1), venue="X", movement_id="f-1").outcome == expected
    with pytest.raises(KeyReusedError):
        tracker.record_cash("FEE", D(-2), at(1), venue="X", movement_id="f-1")
    assert AccountState.objects.get().balance == D(999)


def test_a_split_restates_what_is_held_and_is_applied_once(tracker, account) -> None:
    tracker.record_trade(**buy(1, "100", "640"))
    assert tracker.apply_corporate_action("AAPL", "split", at(2), ratio=7).outcome == "STORED"
    assert tracker.apply_corporate_action("AAPL", "SPLIT", at(2), ratio=D(7)).outcome == "DUPLICATE"
    with pytest.raises(KeyReusedError):
        tracker.apply_corporate_action("AAPL", "SPLIT", at(2), ratio=8)
    tracker.record_trade(**buy(3, "1", "90"))
    tracker.record_trade(**buy(0, "1", "630"))
    assert (only_position().quantity, CorporateAction.objects.count()) == (D(708), 1)
    assert stored_books(account.id) == folded_books(account)


def test_a_dividend_reaches_every_strategy_and_a_late_one_too(tracker, account) -> None:
    tracker.record_trade(**buy(1, "100"), strategy_used="a")
    tracker.record_trade(**sell(2, "50"), strategy_used="b")
    tracker.apply_corporate_action("AAPL", "DIVIDEND", at(3), amount=D("0.5"))
    tracker.record_trade(**sell(4, "100"), strategy_used="a")
    tracker.record_trade(**buy(2.5, "10"), strategy_used="c")
    paid = LedgerEntry.objects.filter(kind="DIVIDEND").order_by("amount").values_list("amount", flat=True)
    assert list(paid) == [D(-25), D(5), D(50)]
    assert stored_books(account.id) == folded_books(account)


def test_an_action_that_meets_nothing_is_stored_and_counts_for_what_comes_late(tracker, account) -> None:
    tracker.apply_corporate_action("AAPL", "SPLIT", at(5), ratio=2)
    assert not tracker.get_current_positions()
    tracker.record_trade(**buy(1))
    assert only_position().quantity == D(20)
    assert stored_books(account.id) == folded_books(account)


def test_a_resolution_pays_out_both_tokens(tracker, account) -> None:
    bet = {"market": "fed-june", "timestamp": at(1), "quantity": D(100)}
    tracker.record_trade(**bet, action="buy_yes", price=D("0.4"), amount=D(40))
    tracker.record_trade(**bet, action="buy_no", price=D("0.61"))
    tracker.resolve_market("fed-june", "no", at(9))
    assert {p.side: (p.realized_pnl, p.exit_reason, p.status) for p in Position.objects.all()} == {
        "YES": (D(-40), "RESOLUTION", "closed"),
        "NO": (D(39), "RESOLUTION", "closed"),
    }
    assert AccountState.objects.get().balance == D(999)
    with pytest.raises(KeyReusedError):
        tracker.resolve_market("fed-june", "YES", at(9))
    tracker.record_trade(**(bet | {"timestamp": at(2)}), action="buy_yes", price=D("0.5"))
    assert stored_books(account.id) == folded_books(account)


def test_a_bust_leaves_the_books_as_if_it_had_never_been(tracker, account) -> None:
    logger = TradeLogger(account)
    tracker.record_trade(**buy(1))
    before = stored_books(account.id)
    wrong = tracker.record_trade(**sell(2, "25", "11", commission=D(1), commission_currency="BNB"))
    logger.bust_trade(wrong, reason="fat finger")
    tracker.get_current_positions()
    assert stored_books(account.id) == before == folded_books(account)
    assert tracker.update_position(wrong).outcome == "DUPLICATE"


def test_a_trade_busted_before_it_was_booked_never_enters(tracker, account) -> None:
    logger = TradeLogger(account)
    wrong = logger.log_trade(**buy(1))
    logger.bust_trade(wrong, reason="fat finger")
    tracker.get_current_positions()
    assert not PositionFill.objects.exists()
    assert AccountState.objects.get().trade_count == 0


def test_a_correction_takes_the_place_of_the_wrong_fill(tracker, account) -> None:
    wrong = tracker.record_trade(**buy(1, "10", "10"))
    tracker.record_trade(**sell(2, "10", "12"))
    TradeLogger(account).correct_trade(wrong, reason="price", corrected=buy(1, "10", "11"))
    tracker.get_current_positions()
    assert only_position().realized_pnl == D(10)
    assert stored_books(account.id) == folded_books(account)


def test_current_positions_are_one_query_when_everything_is_booked(tracker) -> None:
    tracker.record_trade(**buy(1, "10", "12.5"))
    tracker.record_trade(**(buy(2, "1", "100") | {"symbol": "MSFT"}))
    tracker.record_trade(**sell(3, "10", "13"))
    # The connection that will be lent for it.
    with CaptureQueriesContext(engine_for()._patient.pool._ready[-1]) as queries:
        rows = tracker.get_current_positions()
    assert len(queries) == 1
    assert [(row.symbol, row.quantity, row.entry_price, row.entry_date) for row in rows] == [
        ("MSFT", D(1), D(100), at(2))
    ]
    assert rows.as_of is not None
    assert not rows.stale


def test_current_positions_book_what_was_only_logged(tracker, account) -> None:
    TradeLogger(account).log_trade(**buy(1))
    assert [row.quantity for row in tracker.get_current_positions()] == [D(10)]


def test_an_open_transaction_is_refused(tracker) -> None:
    with pytest.raises(RuntimeError, match="open transaction"), transaction.atomic():
        tracker.record_trade(**buy(1))
    assert not Trade.objects.exists()


def test_a_closed_tracker_takes_nothing(account) -> None:
    with PortfolioTracker(account) as tracker:
        tracker.record_trade(**buy(1))
    with pytest.raises(RuntimeError, match="closed"):
        tracker.record_trade(**buy(2))
    assert Trade.objects.count() == 1


def test_ids_of_the_books_come_from_the_facts(tracker, account) -> None:
    tracker.record_trade(**buy(1), trade_id=UUID(int=5))
    first = set(stored_books(account.id)["Position"])
    PositionFill.objects.all().delete()
    LedgerEntry.objects.all().delete()
    Position.objects.all().delete()
    tracker.rebuild()
    assert set(stored_books(account.id)["Position"]) == first
    assert CashMovement.objects.count() == 1


def test_prices_of_a_position_are_derived_from_its_sums(tracker) -> None:
    tracker.record_trade(**buy(1, "10", "100"))
    assert (only_position().entry_price, only_position().exit_price, only_position().pnl_percent) == (
        D(100),
        None,
        None,
    )
    tracker.record_trade(**buy(2, "10", "120"))
    tracker.record_trade(**sell(3, "5", "121"))
    assert (only_position().entry_price, only_position().exit_price, only_position().pnl_percent) == (
        D(110),
        D(121),
        D(10),
    )


def test_the_positions_of_a_trade_are_those_of_its_symbol_and_account(tracker, account) -> None:
    tracker.record_trade(**buy(1), strategy_used="a")
    second = tracker.record_trade(**buy(2), strategy_used="b")
    tracker.record_trade(**(buy(3) | {"symbol": "MSFT"}))
    PortfolioTracker(open_account("other")).record_trade(**buy(4))
    found = Position.objects.for_trade(Trade.objects.get(id=second.id))
    assert sorted(position.strategy_used for position in found.open()) == ["a", "b"]


def test_an_instrument_that_the_books_cannot_hold_keeps_no_other_from_being_booked(tracker, account, caplog) -> None:
    logger = TradeLogger(account)
    fine, wrong = (logger.log_trade(**buy(minute, "6e19", "1")) for minute in (1, 2))
    assert tracker.record_trade(**(buy(3) | {"symbol": "MSFT"})).outcome == "STORED"
    assert [row.symbol for row in tracker.get_current_positions()] == ["MSFT"]
    assert "cannot take in" in caplog.text
    for _ in range(3):
        tracker.record_trade(**(buy(4) | {"symbol": "MSFT"}))
    with pytest.raises(RejectedRecordError, match="1e20"):
        tracker.update_position(wrong)
    with pytest.raises(RejectedRecordError, match="cannot take in"):
        tracker.close_period(at(5))
    # However long it waited, it is not forgotten.
    logger.bust_trade(wrong, reason="a number from a bad feed")
    assert {row.symbol: row.quantity for row in tracker.get_current_positions()} == {"AAPL": D("6e19"), "MSFT": D(40)}
    assert tracker.update_position(fine).outcome == "DUPLICATE"
    assert stored_books(account.id) == folded_books(account)


def test_what_takes_longer_than_a_call_may_wait_is_booked_in_the_background(tracker, account, monkeypatch) -> None:
    tracker.record_trade(**buy(1))
    TradeLogger(account).log_trade(**buy(2, "5"))
    monkeypatch.setattr(engine_for()._patient, "deadline", 0.5)

    def long_work(key, *, using) -> int:
        time.sleep(0.6)
        return catch_up(key, using=using)

    monkeypatch.setattr("portfolio_manager.data_logger.portfolio_tracker.catch_up", long_work)
    found = tracker.get_current_positions()
    assert (found, found.as_of) == ([], None)
    until = time.monotonic() + 60
    while only_position().quantity != D(15):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert [row.quantity for row in tracker.get_current_positions()] == [D(15)]
