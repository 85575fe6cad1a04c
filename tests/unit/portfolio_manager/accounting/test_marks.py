"""What an open position is worth at a price."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from portfolio_manager.accounting import mark

D = Decimal


def marked(**changes: Any) -> Any:
    given = {
        "instrument_type": "EQUITY",
        "side": "LONG",
        "quantity": D(10),
        "total_cost": D(1000),
        "price": D(110),
        "multiplier": D(1),
        "leverage": None,
    } | changes
    return mark(**given)


def test_a_long_gains_and_a_short_loses_when_the_price_rises() -> None:
    assert (marked().value, marked().unrealized_pnl) == (D(1100), D(100))
    assert (marked(side="SHORT").value, marked(side="SHORT").unrealized_pnl) == (D(-1100), D(-100))


def test_the_multiplier_counts() -> None:
    assert marked(multiplier=D(50), total_cost=D(50000)).unrealized_pnl == D(5000)


@pytest.mark.parametrize(("side", "liquidation"), [("LONG", "90"), ("SHORT", "110")])
def test_a_leveraged_position_is_liquidated_where_its_loss_is_its_margin(side: str, liquidation: str) -> None:
    seen = marked(instrument_type="LEVERAGED", side=side, leverage=D(10))
    assert (seen.margin, seen.liquidation_price) == (D(100), D(liquidation))
    at_that_price = marked(instrument_type="LEVERAGED", side=side, leverage=D(10), price=seen.liquidation_price)
    assert at_that_price.unrealized_pnl == -seen.margin


def test_without_a_stated_leverage_there_is_no_margin_to_tell() -> None:
    assert marked(instrument_type="LEVERAGED").margin is None
    assert marked(leverage=D(10)).margin is None
