"""The state machines of orders and trades."""

from __future__ import annotations

import pytest

from friren.errors import InvalidTransitionError
from trading_engine.lifecycles import ORDER_MOVES, TRADE_MOVES, check_move
from trading_engine.models.choices import OrderStatus, TradeStatus
from trading_engine.models.orders import OPEN_ORDER_STATUSES

MACHINES = [(ORDER_MOVES, OrderStatus), (TRADE_MOVES, TradeStatus)]


@pytest.mark.parametrize(("moves", "statuses"), MACHINES)
def test_every_move_leads_from_a_status_to_another_one(moves, statuses) -> None:
    for held, following in moves.items():
        assert held in statuses.values
        assert following <= set(statuses.values) - {held}
        assert following, "a status that ends is left out"


@pytest.mark.parametrize(("moves", "statuses"), MACHINES)
def test_every_status_can_be_reached_from_the_first(moves, statuses) -> None:
    reached = {statuses.values[0]}
    while more := {status for held in reached for status in moves.get(held, ())} - reached:
        reached |= more

    assert reached == set(statuses.values)


def test_orders_that_may_still_fill_are_those_that_do_not_end() -> None:
    assert set(OPEN_ORDER_STATUSES) == set(ORDER_MOVES)


@pytest.mark.parametrize(("held", "wanted"), [("submitted", "filled"), ("pending", "cancelled")])
def test_a_move_of_the_machine_passes(held, wanted) -> None:
    check_move(ORDER_MOVES, held=held, wanted=wanted)


@pytest.mark.parametrize(
    ("held", "wanted", "rule"),
    [
        ("partially_filled", "submitted", "cancelled, expired, filled can follow partially_filled"),
        ("filled", "pending", "nothing can follow filled"),
        ("pending", "pending", "cancelled, expired, filled, partially_filled, rejected, submitted can follow pending"),
    ],
)
def test_another_move_is_refused_with_those_there_are(held, wanted, rule) -> None:
    with pytest.raises(InvalidTransitionError) as caught:
        check_move(ORDER_MOVES, held=held, wanted=wanted)

    assert (caught.value.field, caught.value.value, caught.value.rule) == ("status", wanted, rule)
