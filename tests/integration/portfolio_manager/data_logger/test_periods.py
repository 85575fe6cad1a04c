"""A closed period: the books as they stood are kept, and nothing dated before it gets in or out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from friren.accounts import open_account
from friren.core.ids import new_id
from friren.core.models import Account, AuditLog
from friren.errors import PeriodClosedError, RejectedRecordError
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import PeriodCheckpoint
from tests.books import at
from tests.stored_books import folded_books, stored_books
from trading_engine.models import Trade
from trading_engine.services import TradeLogger

pytestmark = pytest.mark.usefixtures("database")
D = Decimal


@pytest.fixture
def account():
    return open_account("books", starting_cash=D(1000), cost_basis="FIFO")


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


def test_a_checkpoint_holds_the_books_as_they_stood(tracker, account) -> None:
    TradeLogger(account).log_trade(**buy(1, "10", "10", commission=D(1), commission_currency="BNB"))
    tracker.record_trade(**buy(2, "5", "12"))
    tracker.record_trade(**(buy(5, "12", "11") | {"action": "sell"}))
    tracker.close_period(at(3))
    checkpoint = PeriodCheckpoint.objects.get()
    assert (checkpoint.closes_at, checkpoint.cash, checkpoint.balances) == (at(3), D(840), {"BNB": "-1"})
    (held,) = checkpoint.positions
    assert (held["instrument"], held["quantity"], held["total_cost"], held["realized_pnl"]) == (
        "AAPL",
        "15",
        "160",
        "0",
    )
    assert checkpoint.trade_count == 2
    assert Account.objects.get(name="books").closed_until == at(3)
    entry = AuditLog.objects.get(source="close_period")
    assert (entry.account_id, entry.before, entry.after) == (
        account.id,
        {"closed_until": None},
        {"closed_until": at(3).isoformat()},
    )


def test_facts_dated_before_the_close_are_refused_and_later_ones_taken(tracker, account) -> None:
    tracker.record_trade(**buy(1))
    tracker.close_period(at(3))
    before = stored_books(account.id)
    for refused in (
        lambda: tracker.record_trade(**buy(2)),
        lambda: TradeLogger(account).log_trade(**buy(2)),
        lambda: tracker.record_cash("FEE", D(-1), at(2)),
        lambda: tracker.apply_corporate_action("AAPL", "SPLIT", at(2), ratio=2),
        lambda: tracker.resolve_market("m", "YES", at(2)),
    ):
        with pytest.raises(PeriodClosedError):
            refused()
    assert stored_books(account.id) == before
    assert tracker.record_trade(**buy(3)).outcome == "STORED"
    assert stored_books(account.id) == folded_books(account)


def test_what_was_stored_before_the_close_is_still_a_duplicate(tracker) -> None:
    key = new_id()
    tracker.record_trade(**buy(1), trade_id=key)
    tracker.record_trade(**buy(1), venue="X", external_id="7")
    tracker.close_period(at(3))
    assert tracker.record_trade(**buy(1), trade_id=key).outcome == "DUPLICATE"
    assert tracker.record_trade(**buy(1), venue="X", external_id="7").outcome == "DUPLICATE"
    assert Trade.objects.count() == 2


def test_a_trade_of_a_closed_period_cannot_be_busted(tracker, account) -> None:
    receipt = tracker.record_trade(**buy(1))
    tracker.close_period(at(3))
    with pytest.raises(PeriodClosedError):
        TradeLogger(account).bust_trade(receipt, reason="too late")
    assert Trade.objects.get().status == "filled"


def test_a_period_closes_once_and_never_backwards(tracker) -> None:
    tracker.close_period(at(3))
    for moment in (at(3), at(2)):
        with pytest.raises(PeriodClosedError):
            tracker.close_period(moment)
    tracker.close_period(at(4))
    assert PeriodCheckpoint.objects.count() == 2


@pytest.mark.parametrize("moment", [at(3).replace(tzinfo=None), "2026-01-05", None, at(60 * 24 * 365 * 100)])
def test_a_close_that_makes_no_sense_is_refused(tracker, moment) -> None:
    with pytest.raises(RejectedRecordError) as refusal:
        tracker.close_period(moment)
    assert refusal.value.field == "at"
    assert Account.objects.get(name="books").closed_until is None


def test_the_digest_of_a_checkpoint_is_of_the_facts_before_it(tracker) -> None:
    tracker.record_trade(**buy(1))
    first = tracker.close_period(at(2))
    tracker.record_trade(**buy(5))
    second = tracker.close_period(at(3))
    third = tracker.close_period(at(6))
    assert first.facts_digest == second.facts_digest != third.facts_digest
