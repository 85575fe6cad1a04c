"""A fill that is the newest of its group is stored and booked in two round trips, to the rows of every other way."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from friren.accounts import open_account
from friren.core.ids import new_id
from friren.errors import KeyReusedError, PeriodClosedError, RejectedRecordError
from friren.persistence.facts import forget_natural_keys
from friren.persistence.handlers import insert
from portfolio_manager.booking import book, booking, quick
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import AccountState, LedgerEntry, Position, PositionFill
from tests.books import at, uid
from tests.stored_books import folded_books, stored_books
from trading_engine.models import Symbol, Trade
from trading_engine.services import TradeLogger
from trading_engine.trade_facts import trade_fact

pytestmark = pytest.mark.usefixtures("database")
D = Decimal

quantities = st.one_of(st.integers(1, 30).map(D), st.decimals("0.000000000000000001", "1000", places=18))
prices = st.one_of(st.integers(-5, 300).map(D), st.decimals("-40", "100000", places=18))
common = {
    "quantity": quantities,
    "commission": st.one_of(st.none(), st.decimals("-2", "5", places=18)),
    "commission_currency": st.sampled_from([None, "BNB"]),
    "strategy_used": st.sampled_from([None, "a"]),
    "exit_reason": st.sampled_from([None, "STOP"]),
}
shares = st.fixed_dictionaries(
    common
    | {
        "symbol": st.sampled_from(["AAPL", "ES"]),
        "action": st.sampled_from(["buy", "sell", "short", "cover"]),
        "price": prices,
        "leverage": st.sampled_from([None, D(3), 10.12345]),
        "stop_loss_price": st.one_of(st.none(), prices),
        "target_price": st.one_of(st.none(), prices),
        "round_trip": st.sampled_from([None, None, uid(1), uid(2)]),
        "regime_at_entry": st.sampled_from([None, "BULL"]),
    }
)
bets = st.fixed_dictionaries(
    common
    | {
        "market": st.just("fed-june"),
        "action": st.sampled_from(["buy_yes", "buy_no", "sell_yes", "sell_no"]),
        "price": st.decimals("0", "1", places=18),
        "amount": st.one_of(st.none(), st.decimals("0.01", "400", places=18)),
    }
)
# How far each fill lies behind the one before: mostly ahead, sometimes at the same moment, sometimes late.
steps = st.sampled_from([1, 1, 1, 2, 0, -3])
streams = st.lists(st.tuples(steps, shares | bets), min_size=1, max_size=14)
SHAPES = [(basis, mode) for basis in ("AVERAGE", "FIFO", "LIFO") for mode in ("NETTING", "HEDGING")]
ALL_ROWS = (Position, PositionFill, LedgerEntry)


@pytest.fixture
def account():
    return open_account("books", starting_cash=D(1000))


@pytest.fixture
def tracker(account):
    return PortfolioTracker(account)


@pytest.fixture
def ways(monkeypatch) -> list[str]:
    """Which way every fill of this test went."""
    really, told = quick.store_and_book, []

    def watched(fact, *, using):
        receipt = really(fact, using=using)
        told.append("long" if receipt is None else "quick")
        return receipt

    monkeypatch.setattr("portfolio_manager.data_logger.book_events.store_and_book", watched)
    return told


def fill(minute, quantity="10", price="10", **more) -> dict[str, Any]:
    common = {"symbol": "AAPL", "action": "buy", "quantity": D(quantity), "price": D(price), "timestamp": at(minute)}
    return common | more


def rows_written() -> dict[str, Any]:
    """Every row of the books with every column, but when it was written and how far the search for facts has come."""
    left_out = {"created_at", "updated_at", "booked_seq", "horizon_seq", "horizon_xid"}
    tickers = dict(Symbol.objects.values_list("id", "ticker"))
    written: dict[str, Any] = {}
    for model in (*ALL_ROWS, AccountState):
        rows = {row[model._meta.pk.attname]: row for row in model.objects.values()}
        for row in rows.values():
            row.update(dict.fromkeys(left_out & row.keys()))
            row.update({name: tickers[row[name]] for name in {"symbol_id"} & row.keys() if row[name]})
        written[model.__name__] = {key: {name: str(value) for name, value in row.items()} for key, row in rows.items()}
    return written


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(stream=streams, shape=st.sampled_from(SHAPES), marked=st.sets(st.integers(0, 14)))
def test_both_ways_write_the_same_rows_and_those_of_the_pure_fold(emptier, stream, shape, marked) -> None:
    told = []
    minute = 0
    for number, (step, keywords) in enumerate(stream):
        minute += step
        told.append(keywords | {"trade_id": uid(number), "timestamp": at(minute)})
    written = []
    for way in ("quick", "long"):
        emptier.empty()
        forget_natural_keys()
        Symbol.objects.create(ticker="ES", currency="USD", multiplier=D(50))
        account = open_account("books", starting_cash=D(1000), cost_basis=shape[0], position_mode=shape[1])
        tracker = PortfolioTracker(account)
        for number, keywords in enumerate(told):
            if way == "quick":
                tracker.record_trade(**keywords)
            else:
                with booking("default") as seen_seq:
                    key = insert(trade_fact(account, **keywords), using="default").id
                    book(account.id, seen_seq=seen_seq, using="default", wanted=key)
            if number in marked:
                tracker.mark_to_market({"AAPL": D(17), "ES": D("4.5"), "fed-june": D("0.4")}, at(number))
        assert stored_books(account.id) == folded_books(account)
        written.append(rows_written())
    assert written[0] == written[1]


def test_a_common_fill_takes_two_round_trips(tracker, ways, monkeypatch) -> None:
    tracker.record_trade(**fill(1))
    trips = []
    really = quick.exchange

    def counted(connection, *calls):
        texts = [getattr(statement, "sql", statement) for statement, _parameters in calls]
        trips.append([(text if isinstance(text, str) else text.decode()).split()[0] for text in texts])
        return really(connection, *calls)

    monkeypatch.setattr(quick, "exchange", counted)
    tracker.record_trade(**fill(2, commission=D(1)))
    assert ways[1:] == ["quick"]
    assert trips == [
        ["BEGIN", "SELECT", "INSERT", "SELECT", "SELECT", "SELECT"],
        ["UPDATE", "INSERT", "INSERT", "UPDATE", "COMMIT"],
    ]


@pytest.mark.parametrize(
    "then",
    [
        {"action": "sell", "quantity": D(4)},
        {"action": "sell"},
        {"action": "sell", "quantity": D(25)},
        {"symbol": "MSFT"},
        {"strategy_used": "other"},
        {"leverage": D(3)},
        {"market": "fed-june", "symbol": None, "action": "buy_yes", "price": D("0.4")},
        {"market": "fed-june", "symbol": None, "action": "sell_yes", "price": D("0.4")},
        {"timestamp": at(1)},
    ],
    ids=["reduce", "close", "flip", "symbol", "strategy", "leverage", "bet", "mint", "same moment"],
)
def test_what_is_the_newest_of_its_group_goes_the_quick_way(tracker, account, ways, then) -> None:
    tracker.record_trade(**fill(1))
    tracker.record_trade(**(fill(2) | then))
    tracker.record_trade(**(fill(3) | then | {"timestamp": at(3)}))
    assert ways[1:] == ["quick", "quick"]
    assert stored_books(account.id) == folded_books(account)


def late(tracker, account) -> dict[str, Any]:
    return fill(1)


def later_split(tracker, account) -> dict[str, Any]:
    tracker.apply_corporate_action("AAPL", "SPLIT", at(20), ratio=D(2))
    tracker.record_trade(**fill(11, symbol="MSFT"))
    tracker.record_trade(**fill(12, symbol="MSFT"))
    return fill(13)


def later_close(tracker, account) -> dict[str, Any]:
    tracker.record_trade(**fill(20, "10", action="sell"))
    return fill(15, "1")


def unbooked_trade(tracker, account) -> dict[str, Any]:
    TradeLogger(account).log_trade(**fill(11, symbol="MSFT"))
    return fill(12)


def unbooked_bust(tracker, account) -> dict[str, Any]:
    TradeLogger(account).bust_trade(Trade.objects.get(), reason="wrong")
    return fill(12)


def unbooked_cash(tracker, account) -> dict[str, Any]:
    logged = PortfolioTracker(account, mode="journal")
    logged.record_cash("INTEREST", D(1), at(11))
    assert logged.flush(120)
    return fill(12)


def resolved_later(tracker, account) -> dict[str, Any]:
    tracker.resolve_market("fed-june", "YES", at(30))
    for minute in (11, 12):
        tracker.record_trade(**fill(minute, symbol="MSFT"))
    return fill(13, price="0.5", market="fed-june", symbol=None, action="buy_yes")


@pytest.mark.parametrize(
    "situation", [late, later_split, later_close, unbooked_trade, unbooked_bust, unbooked_cash, resolved_later]
)
def test_what_takes_more_goes_the_long_way_to_the_same_books(tracker, account, ways, situation) -> None:
    tracker.record_trade(**fill(10))
    keywords = situation(tracker, account)
    assert tracker.record_trade(**keywords).outcome == "STORED"
    assert ways[-1] == "long"
    assert stored_books(account.id) == folded_books(account)
    assert tracker.rebuild(check=True).differences == ()


def test_the_first_fill_of_an_account_goes_the_long_way_and_those_after_it_the_quick_one(tracker, ways) -> None:
    for minute in range(3):
        tracker.record_trade(**fill(minute))
    # The opening deposit was stored, and nobody had booked it.
    assert ways == ["long", "quick", "quick"]


def test_what_is_there_already_is_a_duplicate(tracker, account, ways) -> None:
    key = new_id()
    tracker.record_trade(**fill(1))
    tracker.record_trade(**fill(2), trade_id=key)
    tracker.record_trade(**fill(3), venue="X", external_id="7")
    before = stored_books(account.id)
    assert tracker.record_trade(**fill(2), trade_id=key).outcome == "DUPLICATE"
    assert tracker.record_trade(**fill(3), venue="X", external_id="7").outcome == "DUPLICATE"
    with pytest.raises(KeyReusedError, match="external_id"):
        tracker.record_trade(**fill(3, "11"), venue="X", external_id="7")
    assert stored_books(account.id) == before
    tracker.record_trade(**fill(4))
    assert ways[-4:] == ["long", "long", "long", "quick"]


def test_a_refusal_names_what_is_wrong_and_leaves_nothing(tracker, account, ways) -> None:
    tracker.record_trade(**fill(1))
    tracker.record_trade(**fill(2))
    before = rows_written()
    with pytest.raises(RejectedRecordError, match=r"order=.*not stored"):
        tracker.record_trade(**fill(3), order=new_id())
    with pytest.raises(RejectedRecordError, match="1e20"):
        tracker.record_trade(**fill(4, "99999999999999999990", "1"))
    assert (rows_written(), Trade.objects.count()) == (before, 2)
    tracker.close_period(at(2.5))
    with pytest.raises(PeriodClosedError, match="timestamp="):
        tracker.record_trade(**fill(2.25))
    assert Trade.objects.count() == 2
    tracker.record_trade(**fill(5))
    tracker.record_trade(**fill(6))
    assert ways[-1] == "quick"
    assert stored_books(account.id) == folded_books(account)


def test_many_threads_on_one_account_lose_nothing(account) -> None:
    PortfolioTracker(account).record_trade(**fill(0))

    def work(thread: int) -> None:
        tracker = PortfolioTracker(account)
        for number in range(12):
            tracker.record_trade(**fill(1 + number, "1", strategy_used=f"s{thread % 2}"))
        connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert Trade.objects.count() == 73
    assert AccountState.objects.get().trade_count == 73
    assert stored_books(account.id) == folded_books(account)


def test_a_fill_as_told_is_the_fill_as_stored(tracker, account, ways) -> None:
    """A time in another zone, a leverage with more digits than its column, a decimal in another spelling."""
    tracker.record_trade(**fill(0))
    zone = dt.timezone(dt.timedelta(hours=-5))
    moment = at(1).astimezone(zone)
    tracker.record_trade(
        **fill(1) | {"timestamp": moment, "leverage": 3.00004, "price": D("1E+1"), "quantity": D("1.50")}
    )
    assert ways[-1] == "quick"
    assert stored_books(account.id) == folded_books(account)
