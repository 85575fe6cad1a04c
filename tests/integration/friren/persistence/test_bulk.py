"""Many records by one call: few statements, one verdict each, nothing lost when a batch cannot be taken."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest

import friren
from friren.errors import KeyReusedError, PeriodClosedError, RejectedRecordError
from friren.persistence import bulk
from friren.persistence.engines import engine_for
from friren.persistence.models import DeadLetter
from portfolio_manager.data_logger import PortfolioTracker
from trading_engine.models import Signal, Trade
from trading_engine.services import SignalLogger, TradeLogger

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


@pytest.fixture
def book():
    return friren.open_account("book", starting_cash=Decimal(1000))


def trade(number, **more):
    at = NOON + dt.timedelta(seconds=number)
    return {
        "symbol": "SPY",
        "action": "buy",
        "quantity": 1,
        "price": 10,
        "timestamp": at,
        "trade_id": uuid.UUID(int=number + 1),
        **more,
    }


def signal(number, **more):
    return {"symbol": "SPY", "signal_type": "BUY", "timestamp": NOON + dt.timedelta(seconds=number), **more}


def statements_of(monkeypatch):
    """The SQL of the recorder's own connections, as it is sent from now on."""
    said = []
    really = bulk.store_batch

    def listening(facts, *, using):
        from django.db import connections

        def note(execute, sql, parameters, many, context):
            said.append(sql)
            return execute(sql, parameters, many, context)

        with connections[using].execute_wrapper(note):
            return really(facts, using=using)

    monkeypatch.setattr("friren.persistence.recorder.store_batch", listening)
    return said


def test_a_thousand_signals_take_as_many_statements_as_ten(book, monkeypatch):
    signals = SignalLogger(book)
    signals.bulk_log([signal(0)])  # the table's shape is asked once per process
    said = statements_of(monkeypatch)

    assert signals.bulk_log(signal(number) for number in range(1, 11)).stored == 10
    of_ten = len(said)
    assert signals.bulk_log(signal(number) for number in range(11, 1011)).stored == 1000

    assert len(said) - of_ten == of_ten
    # Beside the COPY: limits, look for what is there, and the transaction.
    asked = [sql for sql in said[of_ten:] if sql.startswith(("SELECT", "INSERT", "UPDATE", "COPY"))]
    assert len(asked) <= 3
    assert Signal.objects.count() == 1011


def test_several_batches_are_counted_as_one_call(book, monkeypatch):
    monkeypatch.setattr(bulk, "BULK_BATCH_ROWS", 7)
    trades = TradeLogger(book)
    told = [trade(number) for number in range(20)]
    told[3]["price"] = Decimal("NaN")
    told[17]["trade_id"] = told[0]["trade_id"]
    told[18] = told[1]

    receipt = trades.bulk_log(iter(told))
    again = trades.bulk_log(told)

    assert (receipt.stored, receipt.duplicates) == (17, 1)
    assert [(index, type(error), error.field) for index, error in receipt.rejected] == [
        (3, RejectedRecordError, "price"),
        (17, KeyReusedError, "trade_id"),
    ]
    assert (again.stored, again.duplicates, len(again.rejected)) == (0, 18, 2)
    assert Trade.objects.count() == 17


def test_refusals_of_the_database_name_what_the_caller_said(book):
    trades = TradeLogger(book)
    tracker = PortfolioTracker(book)
    tracker.close_period(NOON)

    receipt = trades.bulk_log([
        trade(1), trade(2, timestamp=NOON - dt.timedelta(days=1)), trade(3, order=uuid.uuid4()), trade(4),
    ])  # fmt: skip

    assert receipt.stored == 2
    assert [(index, type(error), error.field) for index, error in receipt.rejected] == [
        (1, PeriodClosedError, "timestamp"),
        (2, RejectedRecordError, "order"),
    ]


def test_a_refused_fill_is_kept_on_the_shelf(book):
    trades = TradeLogger(book)

    trades.bulk_log([trade(1), trade(2, order=uuid.uuid4())])

    assert trades.flush(timeout=60)
    (letter,) = DeadLetter.objects.all()
    assert letter.shelf == "rejected"
    assert Trade.objects.count() == 1


def test_what_the_database_cannot_take_goes_to_the_journal_and_is_stored_later(book, monkeypatch):
    trades = TradeLogger(book)
    monkeypatch.setattr(engine_for("default"), "store", lambda write, **_limits: None)

    receipt = trades.bulk_log(trade(number) for number in range(10))

    assert (receipt.stored, receipt.journaled) == (0, 10)
    assert trades.flush(timeout=60)
    assert Trade.objects.count() == 10
    monkeypatch.undo()
    assert trades.bulk_log(trade(number) for number in range(10)).duplicates == 10


def test_journal_mode_appends_and_stores_later(book):
    signals = SignalLogger(book, mode="journal")

    receipt = signals.bulk_log(signal(number) for number in range(50))

    assert receipt.journaled == 50
    assert signals.flush(timeout=60)
    assert Signal.objects.count() == 50
