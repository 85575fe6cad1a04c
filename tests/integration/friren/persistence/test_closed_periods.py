"""Closed books take no fact dated before the close, and know what they took before."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction

import friren
from friren.core.ids import new_id
from friren.errors import KeyReusedError, PeriodClosedError
from friren.persistence.handlers import apply, apply_all, apply_within, one_commit
from friren.persistence.receipts import WriteOutcome
from trading_engine.models import Trade
from trading_engine.services import TradeLogger
from trading_engine.trade_facts import trade_fact

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
CLOSE = NOON + dt.timedelta(hours=1)
FILL = {"symbol": "AAPL", "action": "buy", "quantity": 10, "price": Decimal("187.32"), "timestamp": NOON}
STORED, DUPLICATE = WriteOutcome.STORED, WriteOutcome.DUPLICATE


@pytest.fixture
def book():
    return friren.open_account("book")


@pytest.fixture
def trades(book) -> TradeLogger:
    return TradeLogger(book)


def close(book) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_account SET closed_until = %s WHERE id = %s", [CLOSE, book.id])


def test_facts_dated_before_the_close_are_refused(book, trades) -> None:
    close(book)

    with pytest.raises(PeriodClosedError) as caught:
        trades.log_trade(**FILL)

    assert (caught.value.field, caught.value.value) == ("timestamp", NOON)
    assert "closed" in caught.value.rule
    assert trades.log_trade(**{**FILL, "timestamp": CLOSE}).outcome is STORED


def test_both_legs_of_a_round_trip_are_refused(book, trades) -> None:
    close(book)
    legs = {"entry_price": 1, "entry_timestamp": NOON, "exit_price": 2, "exit_timestamp": CLOSE}

    with pytest.raises(PeriodClosedError) as caught:
        trades.log_round_trip(symbol="AAPL", action="buy", quantity=1, **legs)

    assert caught.value.field == "entry_timestamp"
    assert not Trade.objects.exists()


@pytest.mark.parametrize("key", [{"trade_id": uuid4()}, {"external_id": "77"}, {"trade_id": "77", "venue": "IBKR"}])
def test_a_fact_stored_before_is_still_a_duplicate(book, trades, key) -> None:
    trades.log_trade(**FILL, **key)
    close(book)

    assert trades.log_trade(**FILL, **key).outcome is DUPLICATE
    assert [receipt.outcome for receipt in apply_all([trade_fact(book, **FILL, **key)], using="default")] == [DUPLICATE]


def test_so_is_one_stored_before_under_an_id_of_its_own(book, trades) -> None:
    trades.log_trade(**FILL, trade_id=new_id(), external_id="77")
    close(book)

    assert trades.log_trade(**FILL, external_id="77").outcome is DUPLICATE


def test_other_content_under_its_key_is_still_refused(book, trades) -> None:
    key = trades.log_trade(**FILL).id
    close(book)

    with pytest.raises(KeyReusedError):
        trades.log_trade(**{**FILL, "price": 1}, trade_id=key)


def test_a_trade_of_it_cannot_be_busted_or_corrected(book, trades) -> None:
    trade = trades.log_trade(**FILL)
    close(book)

    with pytest.raises(PeriodClosedError):
        trades.bust_trade(trade, reason="error")
    with pytest.raises(PeriodClosedError):
        trades.correct_trade(trade, reason="error", corrected={**FILL, "timestamp": CLOSE})

    assert trades.update_trade_status(trade, "settled").outcome is STORED
    assert Trade.objects.get().status == "settled"


def test_another_account_is_open(book) -> None:
    close(book)

    assert TradeLogger(friren.open_account("other")).log_trade(**FILL).outcome is STORED


@pytest.mark.parametrize("first", ["fact", "close"])
def test_a_fact_and_a_close_wait_for_one_another(book, trades, first) -> None:
    trades.log_trade(**{**FILL, "timestamp": CLOSE})  # makes the symbol
    fact = trade_fact(book, **FILL)
    began, done = threading.Event(), threading.Event()

    def other() -> object:
        try:
            began.wait(timeout=60)
            if first == "fact":
                with transaction.atomic():
                    lock(book)
                    close(book)
                return Trade.objects.filter(id=fact.id).exists()
            return apply(fact, using="default").outcome
        except PeriodClosedError as exc:
            return type(exc)
        finally:
            done.set()
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(other)
        with one_commit("default"):
            if first == "fact":
                apply_within(fact, using="default")
            else:
                lock(book)
                close(book)
            began.set()
            assert not done.wait(timeout=0.3)  # it waits
        assert result.result(timeout=60) == (True if first == "fact" else PeriodClosedError)


def lock(book) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT friren_lock_period(%s)", [book.id])
