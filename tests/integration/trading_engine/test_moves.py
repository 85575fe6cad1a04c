"""Moves made together end as moves made one by one."""

from __future__ import annotations

import datetime as dt
import random
from uuid import uuid4

import pytest

from friren.accounts import open_account
from friren.core.ids import new_id
from friren.errors import RejectedRecordError
from friren.persistence import handlers
from friren.persistence.batches import apply_batch, apply_each
from friren.persistence.facts import Fact, make_fact
from trading_engine.lifecycles import VENUE_TOLD
from trading_engine.models import Order, OrderStatusEvent, Trade, TradeStatusEvent
from trading_engine.models.choices import OrderStatus, TradeStatus
from trading_engine.trade_facts import order_fact, trade_fact

AT = dt.datetime(2024, 1, 8, 14, 30, tzinfo=dt.UTC)


@pytest.fixture
def book():
    return open_account("momentum")


def order_event(book, order, status, **more):
    return make_fact(OrderStatusEvent, account=book.id, order=order, to_status=status, occurred_at=AT, **more)


def together(facts):
    with handlers.one_commit("default"):
        return apply_batch(facts, using="default")


def said(verdicts):
    return [(type(v).__name__, v.field) if isinstance(v, RejectedRecordError) else v for v in verdicts]


def in_another_book(facts, orders, book, other):
    """The same orders and moves, told of another account."""
    ids = {fact.id: new_id() for fact in [*orders, *facts]}
    return [
        Fact(
            kind=fact.kind,
            id=ids[fact.id],
            values={**fact.values, "account": other.id}
            | ({"order": ids.get(fact.values["order"], fact.values["order"])} if "order" in fact.values else {}),
        )
        for fact in [*orders, *facts]
    ]


@pytest.mark.parametrize("seed", range(6))
def test_random_moves_of_orders_end_alike(book, seed) -> None:
    chance = random.Random(seed)
    orders = [order_fact(book, symbol="AAPL", action="buy", quantity=1, timestamp=AT) for _ in range(5)]
    moves = []
    for number in range(60):
        venue = {VENUE_TOLD: {"venue": "IBKR", "external_id": f"{chance.randrange(4)}-{number % 3}"}}
        payload = venue if chance.random() < 0.3 else {}
        moves.append(order_event(book, chance.choice(orders).id, chance.choice(OrderStatus.values), payload=payload))
    moves.insert(30, order_event(book, uuid4(), "submitted"))
    moves.insert(40, moves[3])
    other = open_account("shadow")
    copies = in_another_book(moves, orders, book, other)
    assert set(together(orders)) == set(together(copies[:5])) == {"STORED"}
    with handlers.one_commit("default"):
        one_by_one = apply_each(copies[5:], using="default")
    assert said(together(moves)) == said(one_by_one)
    columns = ("status", "submitted_at", "venue", "external_id")
    ends = dict(zip([fact.id for fact in orders], [fact.id for fact in copies[:5]], strict=True))
    rows = {row["id"]: row for row in Order.objects.values("id", *columns)}
    for one, two in ends.items():
        assert [rows[one][name] for name in columns] == [rows[two][name] for name in columns]
    events = {row.id: (row.from_status, row.to_status) for row in OrderStatusEvent.objects.all()}
    for move, copy in zip(moves, copies[5:], strict=True):
        assert events.get(move.id) == events.get(copy.id)


def test_moves_of_trades_end_in_their_last_status(book) -> None:
    trades = [trade_fact(book, symbol="A", action="buy", quantity=1, price=1, timestamp=AT) for _ in range(20)]
    events = [
        make_fact(TradeStatusEvent, account=book.id, trade=trade.id, to_status=status, occurred_at=AT)
        for trade in trades
        for status in (TradeStatus.SETTLED, TradeStatus.BUSTED, TradeStatus.SETTLED)
    ]
    verdicts = said(together([*trades, *events]))
    assert verdicts[20:] == ["STORED", "STORED", ("InvalidTransitionError", "status")] * 20
    assert set(Trade.objects.values_list("status", flat=True)) == {"busted"}
    assert said(together(events)) == ["DUPLICATE", "DUPLICATE", ("InvalidTransitionError", "status")] * 20


def test_an_event_that_cannot_be_stored_does_not_take_the_others_with_it(book) -> None:
    order = order_fact(book, symbol="AAPL", action="buy", quantity=1, timestamp=AT)
    good = [order_event(book, order.id, status) for status in ("submitted", "filled")]
    bad = Fact(
        kind="order_status_event",
        id=new_id(),
        values={**good[0].values, "to_status": "partially_filled", "changed_by": 987654321},
    )
    assert said(together([order, good[0], bad, good[1]])) == [
        "STORED",
        "STORED",
        ("MissingRowError", "changed_by"),
        "STORED",
    ]
    assert list(OrderStatusEvent.objects.order_by("recorded_seq").values_list("from_status", "to_status")) == [
        ("pending", "submitted"),
        ("submitted", "filled"),
    ]
