"""Signals: stored once, looked at once, executed once, never back; each move in the audit log."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connections, transaction

import friren
from friren.core.ids import new_id
from friren.core.models import AuditLog
from friren.errors import InvalidTransitionError, KeyReusedError, RejectedRecordError
from friren.persistence.receipts import WriteOutcome
from trading_engine.models import Signal
from trading_engine.services import SignalLogger, TradeLogger

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
SIGNAL = {"symbol": "AAPL", "signal_type": "BUY", "timestamp": NOON}
PREDICTION = {
    "market": "fed-june", "signal_type": "buy_yes", "timestamp": NOON, "target_price": Decimal("0.6"), "amount": 25,
    "yes_price": Decimal("0.4"), "no_price": Decimal("0.6"), "confidence_score": 0.7,
}  # fmt: skip
FILL = {"symbol": "AAPL", "action": "buy", "quantity": 10, "price": Decimal("187.32"), "timestamp": NOON}
STORED, DUPLICATE = WriteOutcome.STORED, WriteOutcome.DUPLICATE


@pytest.fixture
def signals() -> SignalLogger:
    return SignalLogger(friren.open_account("book"))


@pytest.fixture
def trade(signals):
    return TradeLogger(signals.account).log_trade(**FILL)


class TestStored:
    def test_once_by_id(self, signals) -> None:
        key = new_id()

        outcomes = [signals.log_signal(**SIGNAL, signal_id=key).outcome for _ in range(2)]
        with pytest.raises(KeyReusedError) as caught:
            signals.log_signal(**{**SIGNAL, "signal_type": "SELL"}, signal_id=key)

        assert outcomes == [STORED, DUPLICATE]
        assert (caught.value.field, caught.value.value) == ("signal_id", key)

    def test_as_advice_on_a_market_when_one_is_given(self, signals) -> None:
        signals.log_signal(**PREDICTION)

        assert Signal.objects.get().kind == "PREDICTION"

    @pytest.mark.parametrize("missing", ["target_price", "amount", "yes_price", "no_price", "confidence_score"])
    def test_only_whole_when_on_a_market(self, signals, missing) -> None:
        with pytest.raises(RejectedRecordError) as caught:
            signals.log_signal(**{name: value for name, value in PREDICTION.items() if name != missing})

        assert missing in caught.value.rule

    def test_one_by_one_from_a_list(self, signals) -> None:
        key = new_id()
        given = [
            {**SIGNAL, "signal_id": key},
            {**SIGNAL, "signal_id": key},
            {**SIGNAL, "confidence_score": 2},
            PREDICTION,
        ]

        receipt = signals.bulk_log(given)

        assert (receipt.stored, receipt.duplicates) == (2, 1)
        assert [(index, error.field) for index, error in receipt.rejected] == [(2, "confidence_score")]


class TestProcessed:
    def test_once(self, signals) -> None:
        signal = signals.log_signal(**SIGNAL)

        outcomes = [signals.mark_processed(signal, timestamp=NOON + dt.timedelta(hours=n)).outcome for n in range(2)]

        assert outcomes == [STORED, DUPLICATE]
        row = Signal.objects.get()
        assert (row.processed, row.processed_at, row.executed) == (True, NOON, False)

    def test_is_told_to_the_audit_log(self, signals) -> None:
        signal = signals.log_signal(**SIGNAL)
        signals.mark_processed(signal, timestamp=NOON)

        entry = AuditLog.objects.get()
        assert (entry.action, entry.model_label, entry.object_pk) == (
            "STATUS_CHANGE", "trading_engine.Signal", str(signal.id),
        )  # fmt: skip
        assert entry.account_id == signals.account.id
        assert entry.before == {"processed": False, "processed_at": None}
        assert entry.after == {"processed": True, "processed_at": NOON.isoformat()}


class TestExecuted:
    def test_once_with_one_trade(self, signals, trade) -> None:
        signal = signals.log_signal(**SIGNAL)

        outcomes = [signals.mark_executed(signal, trade, timestamp=NOON).outcome for _ in range(2)]

        row = Signal.objects.get()
        assert outcomes == [STORED, DUPLICATE]
        assert (row.executed, row.executed_at, row.trade_id) == (True, NOON, trade.id)
        assert (row.processed, row.processed_at) == (True, NOON)
        assert AuditLog.objects.get().after["trade_id"] == str(trade.id)

    def test_keeps_when_it_was_processed(self, signals, trade) -> None:
        signal = signals.log_signal(**SIGNAL)
        signals.mark_processed(signal, timestamp=NOON)
        signals.mark_executed(signal, trade, timestamp=NOON + dt.timedelta(hours=1))

        row = Signal.objects.get()
        assert (row.processed_at, row.executed_at) == (NOON, NOON + dt.timedelta(hours=1))
        assert signals.mark_processed(signal).outcome is DUPLICATE

    def test_without_a_trade_when_none_is_known(self, signals) -> None:
        signal = signals.log_signal(**SIGNAL)

        assert signals.mark_executed(signal).outcome is STORED
        assert signals.mark_executed(signal).outcome is DUPLICATE

    def test_never_with_another_trade(self, signals, trade) -> None:
        signal = signals.log_signal(**SIGNAL)
        other = TradeLogger(signals.account).log_trade(**FILL)
        signals.mark_executed(signal, trade)

        with pytest.raises(InvalidTransitionError) as caught:
            signals.mark_executed(signal, other)

        assert (caught.value.field, caught.value.value) == ("trade", other.id)

    def test_never_with_the_trade_of_another_signal(self, signals, trade) -> None:
        first, second = (signals.log_signal(**SIGNAL) for _ in range(2))
        signals.mark_executed(first, trade)

        with pytest.raises(InvalidTransitionError) as caught:
            signals.mark_executed(second, trade)

        assert caught.value.field == "trade"
        assert not Signal.objects.get(id=second.id).executed
        assert AuditLog.objects.count() == 1

    def test_never_across_accounts(self, signals, trade) -> None:
        other = SignalLogger(friren.open_account("other"))
        signal = other.log_signal(**SIGNAL)

        for call, field in (
            (lambda: other.mark_executed(signal, trade), "trade"),
            (lambda: signals.mark_executed(signal, trade), "signal"),
            (lambda: signals.mark_processed(new_id()), "signal"),
        ):
            with pytest.raises(RejectedRecordError) as caught:
                call()
            assert caught.value.field == field

    @pytest.mark.parametrize("turn", range(3))
    def test_one_of_many_signals_gets_the_trade(self, signals, trade, turn) -> None:
        several = [signals.log_signal(**SIGNAL) for _ in range(6)]

        def mark(signal) -> object:
            try:
                return signals.mark_executed(signal, trade).outcome
            except RejectedRecordError as exc:
                return type(exc)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(6) as pool:
            outcomes = Counter(pool.map(mark, several))

        assert outcomes == {STORED: 1, InvalidTransitionError: 5}
        assert Signal.objects.filter(executed=True).count() == AuditLog.objects.count() == 1

    def test_not_inside_an_open_transaction_nor_after_the_end(self, signals, trade) -> None:
        signal = signals.log_signal(**SIGNAL)
        with transaction.atomic(), pytest.raises(RuntimeError):
            signals.mark_executed(signal, trade)

        signals.close()
        with pytest.raises(RuntimeError, match="closed"):
            signals.mark_executed(signal, trade)
        assert not Signal.objects.get().executed


def test_history_filters_join(signals, trade) -> None:
    wanted = signals.log_signal(**SIGNAL, strategy_name="sma")
    signals.log_signal(**SIGNAL, strategy_name="other")
    signals.log_signal(**{**SIGNAL, "symbol": "MSFT"}, strategy_name="sma")
    signals.log_signal(**{**SIGNAL, "signal_type": "SELL"}, strategy_name="sma")
    signals.mark_executed(wanted, trade)

    page = signals.get_signal_history("AAPL", strategy="sma", signal_type="buy", executed=True, start=NOON)

    assert [(row.id, row.trade, row.symbol) for row in page] == [(wanted.id, trade.id, "AAPL")]
    assert len(signals.get_signal_history(executed=False)) == 3
    assert signals.get_signal_history(end=NOON) == []
