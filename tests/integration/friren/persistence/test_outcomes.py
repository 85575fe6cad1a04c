"""What a write ends in: STORED, DUPLICATE or a refusal, never twice and never in between."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connections, transaction

import friren
from friren.core.ids import new_id
from friren.errors import InvalidTransitionError, KeyReusedError, RejectedRecordError
from friren.persistence.handlers import apply_all
from friren.persistence.receipts import WriteOutcome
from trading_engine.models import Order, Symbol, Trade, TradeStatusEvent
from trading_engine.services import TradeLogger
from trading_engine.trade_facts import trade_fact

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
FILL = {"symbol": "AAPL", "action": "buy", "quantity": 10, "price": Decimal("187.32"), "timestamp": NOON}
STORED, DUPLICATE = WriteOutcome.STORED, WriteOutcome.DUPLICATE


@pytest.fixture
def book():
    return friren.open_account("book")


@pytest.fixture
def trades(book) -> TradeLogger:
    return TradeLogger(book)


class TestById:
    def test_the_same_fact_again_is_a_duplicate(self, trades) -> None:
        key = new_id()

        outcomes = [trades.log_trade(**FILL, trade_id=key) for _ in range(3)]

        assert [receipt.outcome for receipt in outcomes] == [STORED, DUPLICATE, DUPLICATE]
        assert {receipt.id for receipt in outcomes} == {key}
        assert Trade.objects.count() == 1

    def test_the_same_fact_written_in_another_way_is_a_duplicate(self, trades) -> None:
        key = new_id()
        trades.log_trade(**FILL, trade_id=key, shap_values={"rsi": 1.0, "adx": 2}, confidence_score=0.7)

        again = trades.log_trade(
            symbol=("AAPL", ""), action="BUY", quantity=Decimal("10.00"), price=Decimal("187.320"),
            timestamp=NOON.astimezone(dt.timezone(dt.timedelta(hours=-5))), trade_id=str(key).upper(),
            shap_values={"adx": 2.0, "rsi": 1}, confidence_score=Decimal("0.70001"), tags=[], reasoning="",
        )  # fmt: skip

        assert again.outcome is DUPLICATE

    def test_when_a_fact_reached_us_does_not_tell_it_from_another(self, trades) -> None:
        key = new_id()
        trades.log_trade(**FILL, trade_id=key, received_at=NOON)

        assert trades.log_trade(**FILL, trade_id=key, received_at=NOON + dt.timedelta(1)).outcome is DUPLICATE

    @pytest.mark.parametrize("other", [{"price": 188}, {"reasoning": "why"}, {"symbol": "MSFT"}, {"commission": 0}])
    def test_other_content_under_the_same_id_is_refused(self, trades, other) -> None:
        key = new_id()
        trades.log_trade(**FILL, trade_id=key)

        with pytest.raises(KeyReusedError) as caught:
            trades.log_trade(**{**FILL, **other}, trade_id=key)

        assert (caught.value.field, caught.value.value) == ("trade_id", key)
        assert Trade.objects.get().price == FILL["price"]


class TestByVenueAndExternalId:
    def test_the_same_fact_again_is_a_duplicate_of_the_first(self, trades) -> None:
        first = trades.log_trade(**FILL, venue="IBKR", external_id="77")
        again = trades.log_trade(**FILL, venue="IBKR", trade_id="77")

        assert (again.outcome, again.id) == (DUPLICATE, first.id)

    def test_a_fact_stored_under_an_id_of_its_own_is_found(self, trades) -> None:
        own = trades.log_trade(**FILL, trade_id=new_id(), venue="IBKR", external_id="77")
        imported = trades.log_trade(**FILL, venue="IBKR", external_id="77")

        assert (imported.outcome, imported.id) == (DUPLICATE, own.id)
        assert Trade.objects.count() == 1

    @pytest.mark.parametrize("trade_id", [None, uuid4()], ids=["derived id", "own id"])
    def test_other_content_is_refused(self, trades, trade_id) -> None:
        trades.log_trade(**FILL, trade_id=trade_id, venue="IBKR", external_id="77")

        with pytest.raises(KeyReusedError) as caught:
            trades.log_trade(**{**FILL, "price": 188}, venue="IBKR", external_id="77")

        assert (caught.value.field, caught.value.value) == ("external_id", "77")

    def test_an_id_used_for_another_external_id_is_named_as_such(self, trades) -> None:
        key = new_id()
        trades.log_trade(**FILL, trade_id=key, external_id="77")

        with pytest.raises(KeyReusedError) as caught:
            trades.log_trade(**{**FILL, "price": 188}, trade_id=key, external_id="78")

        assert caught.value.field == "trade_id"

    def test_keys_are_of_one_account_and_venue(self, trades) -> None:
        other = TradeLogger(friren.open_account("other"))
        receipts = [
            trades.log_trade(**FILL, venue="IBKR", external_id="77"),
            trades.log_trade(**FILL, venue="XNAS", external_id="77"),
            trades.log_trade(**FILL, external_id="77"),
            trades.log_trade(**FILL, venue="IBKR", external_id="78"),
            trades.log_trade(**FILL, venue="A\x1fB", external_id="C"),
            trades.log_trade(**FILL, venue="A", external_id="B\x1fC"),
            other.log_trade(**FILL, venue="IBKR", external_id="77"),
        ]

        assert {receipt.outcome for receipt in receipts} == {STORED}
        assert len({receipt.id for receipt in receipts}) == len(receipts)

    def test_an_order_and_a_trade_may_share_one(self, trades) -> None:
        order = {name: value for name, value in FILL.items() if name != "price"}

        assert trades.log_order(**order, order_id="77").outcome is STORED
        assert trades.log_trade(**FILL, trade_id="77").outcome is STORED

    def test_thirty_two_digits_are_an_external_id(self, trades) -> None:
        digits = "12345678901234567890123456789012"

        trades.log_trade(**FILL, trade_id=digits)

        assert Trade.objects.get().external_id == digits


class TestTogether:
    """apply_all and bulk_log."""

    def test_all_or_none(self, book, trades) -> None:
        key = trades.log_trade(**FILL).id
        facts = [trade_fact(book, **FILL), trade_fact(book, **{**FILL, "price": 1}, trade_id=key)]

        with pytest.raises(KeyReusedError):
            apply_all(facts, using="default")

        assert Trade.objects.count() == 1

    def test_a_row_that_is_not_stored_is_named_though_keys_are_checked_late(self, book) -> None:
        facts = [trade_fact(book, **FILL), trade_fact(book, **FILL, order=new_id())]

        with pytest.raises(RejectedRecordError) as caught:
            apply_all(facts, using="default")

        assert caught.value.field == "order"
        assert not Trade.objects.exists()

    def test_a_duplicate_by_external_id_does_not_spoil_the_rest(self, book, trades) -> None:
        trades.log_trade(**FILL, trade_id=new_id(), external_id="77")

        receipts = apply_all([trade_fact(book, **FILL, external_id="77"), trade_fact(book, **FILL)], using="default")

        assert [receipt.outcome for receipt in receipts] == [DUPLICATE, STORED]

    def test_bulk_counts_and_reports_by_index(self, trades) -> None:
        key = new_id()
        rows = [
            {**FILL, "trade_id": key},
            {**FILL, "quantity": -1},
            {**FILL, "trade_id": key},
            {**FILL, "trade_id": key, "price": 1},
            {**FILL, "order": new_id()},
            FILL,
        ]

        receipt = trades.bulk_log(iter(rows))

        assert (receipt.stored, receipt.duplicates) == (2, 1)
        assert [(index, type(error), error.field) for index, error in receipt.rejected] == [
            (1, RejectedRecordError, "quantity"),
            (3, KeyReusedError, "trade_id"),
            (4, RejectedRecordError, "order"),
        ]
        assert Trade.objects.count() == 2

    def test_nothing_given_is_nothing_stored(self, trades) -> None:
        receipt = trades.bulk_log([])

        assert (receipt.stored, receipt.duplicates, receipt.rejected) == (0, 0, [])


class TestAtOnce:
    """Writers that race: threads, each with a connection of its own."""

    def race(self, writers: int, write) -> list[object]:
        start = threading.Barrier(writers)

        def run(number: int) -> object:
            try:
                start.wait(timeout=60)
                return write(number)
            except RejectedRecordError as exc:
                return type(exc)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(writers) as pool:
            return list(pool.map(run, range(writers)))

    @pytest.mark.parametrize("turn", range(3))
    def test_one_of_many_with_the_same_id_stores(self, trades, turn) -> None:
        key = new_id()

        outcomes = self.race(8, lambda _number: trades.log_trade(**FILL, trade_id=key).outcome)

        assert Counter(outcomes) == {STORED: 1, DUPLICATE: 7}
        assert Trade.objects.count() == 1
        assert Symbol.objects.count() == 1

    @pytest.mark.parametrize("turn", range(3))
    def test_one_of_many_with_the_same_external_id_stores(self, trades, turn) -> None:
        def write(number: int) -> WriteOutcome:
            own = new_id() if number % 2 else None
            return trades.log_trade(**FILL, trade_id=own, venue="IBKR", external_id="77").outcome

        assert Counter(self.race(8, write)) == {STORED: 1, DUPLICATE: 7}
        assert Trade.objects.count() == 1

    def test_one_of_many_with_other_content_stores(self, trades) -> None:
        key = new_id()

        outcomes = self.race(8, lambda number: trades.log_trade(**{**FILL, "price": number}, trade_id=key).outcome)

        assert Counter(outcomes) == {STORED: 1, KeyReusedError: 7}

    def test_one_of_many_moves_an_order(self, trades) -> None:
        order = trades.log_order(**{name: value for name, value in FILL.items() if name != "price"})
        ends = ["filled", "cancelled", "rejected", "expired"]

        outcomes = self.race(8, lambda number: trades.update_order_status(order, ends[number % 4]).outcome)

        assert Counter(outcomes) == {STORED: 1, DUPLICATE: 1, InvalidTransitionError: 6}
        assert Order.objects.get().status_events.count() == 1

    def test_one_of_many_busts_a_trade(self, trades) -> None:
        trade = trades.log_trade(**FILL)

        outcomes = self.race(8, lambda _number: trades.bust_trade(trade, reason="error").outcome)

        assert Counter(outcomes) == {STORED: 1, DUPLICATE: 7}
        assert TradeStatusEvent.objects.count() == 1


class TestInsideAnOpenTransaction:
    def test_a_logger_says_that_its_receipt_could_be_taken_back(self, trades) -> None:
        trade = trades.log_trade(**FILL)

        for call in (
            lambda: trades.log_trade(**FILL),
            lambda: trades.bust_trade(trade, reason="error"),
            lambda: trades.correct_trade(trade, reason="error", corrected=FILL),
            lambda: trades.bulk_log([FILL]),
        ):
            with transaction.atomic(), pytest.raises(RuntimeError, match="open transaction"):
                call()

        assert Trade.objects.count() == 1

    def test_reading_is_no_matter(self, trades) -> None:
        with transaction.atomic():
            assert trades.get_trade_history() == []


def test_a_closed_service_takes_nothing(book) -> None:
    with TradeLogger(book) as trades:
        trade = trades.log_trade(**FILL)
    trades.close()

    for call in (lambda: trades.log_trade(**FILL), lambda: trades.bust_trade(trade, reason="error")):
        with pytest.raises(RuntimeError, match="closed"):
            call()
    assert Trade.objects.count() == 1
