"""Orders and trades move along the edges of their state machines and no others, one event per move."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

import pytest

import friren
from friren.core.ids import new_id
from friren.errors import InvalidTransitionError, KeyReusedError, RejectedRecordError
from friren.persistence.receipts import WriteOutcome
from trading_engine.models import Order, OrderStatusEvent, Trade, TradeStatusEvent
from trading_engine.models.choices import OrderStatus, TradeStatus
from trading_engine.services import TradeLogger

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
ORDER = {"symbol": "AAPL", "action": "buy", "quantity": 10, "timestamp": NOON}
FILL = {**ORDER, "price": Decimal("187.32")}
STORED, DUPLICATE = WriteOutcome.STORED, WriteOutcome.DUPLICATE

# The state machines as the design has them, written out here a second time on purpose.
ORDER_EDGES = {
    "pending": {"submitted", "rejected", "cancelled", "expired", "partially_filled", "filled"},
    "submitted": {"partially_filled", "filled", "cancelled", "rejected", "expired"},
    "partially_filled": {"filled", "cancelled", "expired"},
    "filled": set(),
    "cancelled": set(),
    "rejected": set(),
    "expired": set(),
}
TRADE_EDGES = {"filled": {"settled", "busted"}, "settled": {"busted"}, "busted": set()}
# How a row gets into each state.
ORDER_WAYS = {"pending": [], "partially_filled": ["submitted", "partially_filled"]}
TRADE_WAYS = {"filled": [], "settled": ["settled"], "busted": ["busted"]}


def all_moves(edges: dict[str, set[str]]) -> list[tuple[str, str]]:
    return [(held, wanted) for held in edges for wanted in edges]


@pytest.fixture
def trades() -> TradeLogger:
    return TradeLogger(friren.open_account("book"))


def test_every_status_is_in_the_tables_of_this_test() -> None:
    assert set(ORDER_EDGES) == set(OrderStatus.values)
    assert set(TRADE_EDGES) == set(TradeStatus.values)


@pytest.mark.parametrize(("held", "wanted"), all_moves(ORDER_EDGES))
def test_an_order_moves_along_its_edges_alone(trades, held, wanted) -> None:
    order = trades.log_order(**ORDER).id
    for step in ORDER_WAYS.get(held, [held]):
        trades.update_order_status(order, step)
    events = OrderStatusEvent.objects.count()

    if wanted in ORDER_EDGES[held]:
        receipt = trades.update_order_status(order, wanted, timestamp=NOON, reason="told so", payload={"a": 1})
        event = OrderStatusEvent.objects.get(id=receipt.id)
        assert receipt.outcome is STORED
        assert (event.order_id, event.from_status, event.to_status, event.occurred_at, event.reason, event.payload) == (
            order, held, wanted, NOON, "told so", {"a": 1},
        )  # fmt: skip
    elif wanted == held:
        assert trades.update_order_status(order, wanted).outcome is DUPLICATE
    else:
        with pytest.raises(InvalidTransitionError) as caught:
            trades.update_order_status(order, wanted)
        assert (caught.value.field, caught.value.value) == ("status", wanted)

    assert Order.objects.get().status == (wanted if wanted in ORDER_EDGES[held] else held)
    assert OrderStatusEvent.objects.count() == events + (wanted in ORDER_EDGES[held])


@pytest.mark.parametrize(("held", "wanted"), all_moves(TRADE_EDGES))
def test_a_trade_moves_along_its_edges_alone(trades, held, wanted) -> None:
    trade = trades.log_trade(**FILL).id
    for step in TRADE_WAYS[held]:
        trades.update_trade_status(trade, step)
    events = TradeStatusEvent.objects.count()

    if wanted in TRADE_EDGES[held]:
        receipt = trades.update_trade_status(trade, wanted.upper(), timestamp=NOON, reason="told so")
        event = TradeStatusEvent.objects.get(id=receipt.id)
        assert receipt.outcome is STORED
        assert (event.trade_id, event.from_status, event.to_status, event.occurred_at, event.reason) == (
            trade, held, wanted, NOON, "told so",
        )  # fmt: skip
    elif wanted == held:
        assert trades.update_trade_status(trade, wanted).outcome is DUPLICATE
    else:
        with pytest.raises(InvalidTransitionError):
            trades.update_trade_status(trade, wanted)

    assert Trade.objects.get().status == (wanted if wanted in TRADE_EDGES[held] else held)
    assert TradeStatusEvent.objects.count() == events + (wanted in TRADE_EDGES[held])


def test_creation_writes_no_event(trades) -> None:
    trades.log_order(**ORDER)
    trades.log_trade(**FILL)

    assert not OrderStatusEvent.objects.exists()
    assert not TradeStatusEvent.objects.exists()


class TestOrders:
    def test_are_submitted_at_the_time_of_their_submission(self, trades) -> None:
        order = trades.log_order(**ORDER)

        trades.update_order_status(order, "submitted", timestamp=NOON + dt.timedelta(seconds=1))

        assert Order.objects.get().submitted_at == NOON + dt.timedelta(seconds=1)

    def test_get_the_id_of_their_venue_with_a_status(self, trades) -> None:
        order = trades.log_order(**ORDER)

        trades.update_order_status(order, "submitted", venue="IBKR", external_id="77", payload={"venue": "said so"})

        stored, event = Order.objects.get(), OrderStatusEvent.objects.get()
        assert (stored.venue, stored.external_id) == ("IBKR", "77")
        assert event.payload == {"venue": "said so", "_order": {"venue": "IBKR", "external_id": "77"}}

    def test_get_the_id_of_their_venue_after_the_status_too(self, trades) -> None:
        order = trades.log_order(**ORDER)
        trades.update_order_status(order, "submitted")

        outcomes = [trades.update_order_status(order, "submitted", external_id="77").outcome for _ in range(2)]

        assert outcomes == [STORED, DUPLICATE]
        assert Order.objects.get().external_id == "77"

    @pytest.mark.parametrize(("name", "value"), [("external_id", "78"), ("venue", "XNAS")])
    def test_keep_what_their_venue_told_for_good(self, trades, name, value) -> None:
        order = trades.log_order(**ORDER, venue="IBKR", external_id="77")

        for status in ("pending", "submitted"):
            with pytest.raises(RejectedRecordError) as caught:
                trades.update_order_status(order, status, **{name: value})
            assert (caught.value.field, caught.value.value) == (name, value)

        assert trades.update_order_status(order, "submitted", venue="IBKR", external_id="77").outcome is STORED
        assert Order.objects.get().status == "submitted"

    def test_do_not_share_the_id_of_a_venue(self, trades) -> None:
        trades.log_order(**ORDER, venue="IBKR", external_id="77")
        other = trades.log_order(**ORDER)

        with pytest.raises(KeyReusedError) as caught:
            trades.update_order_status(other, "submitted", venue="IBKR", external_id="77")

        assert caught.value.field == "external_id"
        assert Order.objects.get(id=other.id).status == "pending"
        assert not OrderStatusEvent.objects.exists()

    def test_a_payload_may_not_speak_for_us(self, trades) -> None:
        order = trades.log_order(**ORDER)

        with pytest.raises(RejectedRecordError) as caught:
            trades.update_order_status(order, "submitted", payload={"_order": {"status": "filled"}})

        assert caught.value.field == "payload"

    def test_that_may_still_fill_are_listed_newest_first(self, trades) -> None:
        orders = [trades.log_order(**{**ORDER, "timestamp": NOON + dt.timedelta(seconds=n)}).id for n in range(4)]
        trades.update_order_status(orders[0], "partially_filled")
        trades.update_order_status(orders[1], "filled")
        trades.update_order_status(orders[2], "submitted")

        first = trades.open_orders(limit=2)

        assert [row.id for row in first] == [orders[3], orders[2]]
        assert [row.id for row in trades.open_orders(after=first.next)] == [orders[0]]
        assert first[0].symbol == "AAPL"

    def test_of_another_account_are_not_there(self, trades) -> None:
        order = trades.log_order(**ORDER)
        other = TradeLogger(friren.open_account("other"))

        for unknown in (order, new_id()):
            with pytest.raises(RejectedRecordError) as caught:
                other.update_order_status(unknown, "filled")
            assert caught.value.field == "order"
        assert other.open_orders() == []


class TestTrades:
    def test_of_another_account_are_not_there(self, trades) -> None:
        trade = trades.log_trade(**FILL)
        other = TradeLogger(friren.open_account("other"))

        with pytest.raises(RejectedRecordError) as caught:
            other.bust_trade(trade, reason="error")

        assert caught.value.field == "trade"

    def test_are_busted_for_a_reason(self, trades) -> None:
        trade = trades.log_trade(**FILL)

        assert trades.bust_trade(trade, reason="reported twice").outcome is STORED
        assert trades.bust_trade(trade, reason="again").outcome is DUPLICATE
        assert [event.reason for event in TradeStatusEvent.objects.all()] == ["reported twice"]

    @pytest.mark.parametrize("named_by", [lambda receipt: receipt, lambda receipt: receipt.id,
                                          lambda receipt: str(receipt.id),
                                          lambda receipt: Trade.objects.get(id=receipt.id)])  # fmt: skip
    def test_are_corrected_by_a_bust_and_a_new_one(self, trades, named_by) -> None:
        wrong = trades.log_trade(**FILL, external_id="77")

        busted, right = trades.correct_trade(
            named_by(wrong), reason="price", corrected={**FILL, "price": 188, "external_id": "77-corrected"}
        )

        assert (busted.outcome, right.outcome) == (STORED, STORED)
        assert Trade.objects.get(id=wrong.id).status == "busted"
        stored = Trade.objects.get(id=right.id)
        assert (stored.corrects_id, stored.price, stored.status) == (wrong.id, 188, "filled")

    @pytest.mark.parametrize(
        ("corrected", "field"),
        [({"quantity": 0}, "quantity"), ({"order": UUID(int=7)}, "order"), ({"external_id": "77"}, "trade")],
        ids=str,
    )
    def test_stay_as_they_are_when_the_correction_is_refused(self, trades, corrected, field) -> None:
        wrong = trades.log_trade(**FILL, external_id="77")

        with pytest.raises(RejectedRecordError) as caught:
            trades.correct_trade(wrong, reason="price", corrected={**FILL, "price": 188, **corrected})

        assert caught.value.field == field
        assert Trade.objects.get().status == "filled"
        assert not TradeStatusEvent.objects.exists()

    def test_do_not_correct_themselves(self, trades) -> None:
        wrong = trades.log_trade(**FILL)

        with pytest.raises(RejectedRecordError) as caught:
            trades.correct_trade(wrong, reason="price", corrected={**FILL, "price": 188, "trade_id": wrong.id})

        assert (caught.value.field, caught.value.rule) == ("trade", "a trade cannot correct itself")

    def test_are_corrected_once(self, trades) -> None:
        wrong = trades.log_trade(**FILL)
        right = {**FILL, "price": 188, "trade_id": new_id()}
        trades.correct_trade(wrong, reason="price", corrected=right)

        again = trades.correct_trade(wrong, reason="price", corrected=right)
        with pytest.raises(KeyReusedError) as caught:
            trades.correct_trade(wrong, reason="price", corrected={**FILL, "price": 189})

        assert [receipt.outcome for receipt in again] == [DUPLICATE, DUPLICATE]
        assert caught.value.field == "trade"
        assert Trade.objects.count() == 2
