"""How much of each symbol an entry on a pair takes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio_manager.pair_gate import size_pair
from portfolio_manager.risk_gate import Refusal, RiskGate

D = Decimal
PRICES = (D("30"), D("110"))
PLENTY = D(100_000)


def size(gate=None, *, long=True, hedge_ratio=0.5, unit_prices=PRICES, equity=PLENTY, free_cash=PLENTY):
    return size_pair(
        gate or RiskGate(slots=1), long=long, hedge_ratio=hedge_ratio, unit_prices=unit_prices, equity=equity,
        free_cash=free_cash,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("long", "ratio", "actions"),
    [
        (True, 0.5, ("buy", "short")), (False, 0.5, ("short", "buy")),
        (True, -0.5, ("buy", "buy")), (False, -0.5, ("short", "short")),
    ],
)  # fmt: skip
def test_a_side_of_the_spread_is_a_side_of_either_symbol(long, ratio, actions) -> None:
    assert tuple(action for action, _quantity in size(long=long, hedge_ratio=ratio).legs) == actions


def test_both_legs_together_take_one_slot() -> None:
    (_, first), (_, second) = size().legs

    assert (first, second) == (D(1117), D(558))  # 95000 / (30 + 0.5 * 110), and half of it
    (_, first), (_, second) = size(RiskGate(slots=4)).legs
    assert first * 30 + second * 110 <= 23_750


def test_preferences_take_less_than_a_slot() -> None:
    (_, first), (_, second) = size(RiskGate(slots=1, entry_share=D("0.02"))).legs

    assert 1_800 < first * 30 + second * 110 <= 2_000


@pytest.mark.parametrize(
    ("told", "refusal"),
    [
        ({"free_cash": D(50)}, Refusal.NO_CASH),
        ({"equity": D(80)}, Refusal.TOO_SMALL),
        ({"hedge_ratio": 0.00001}, Refusal.TOO_SMALL),
        ({"unit_prices": (D(0), D(10))}, Refusal.NO_PRICE),
    ],
)
def test_refuses_what_cannot_be_traded(told, refusal) -> None:
    assert size(**told).refusal is refusal


@given(
    ratio=st.floats(-50, 50, allow_nan=False),
    prices=st.tuples(*[st.decimals("0.01", "5000", places=2)] * 2),
    equity=st.decimals("1", "1000000", places=2),
    cash=st.decimals("0", "1000000", places=2),
)
def test_never_takes_more_than_there_is(ratio, prices, equity, cash) -> None:
    sizing = size(
        RiskGate(slots=1, commission=D(1)), hedge_ratio=ratio, unit_prices=prices, equity=equity, free_cash=cash
    )

    cost = sum(quantity * price for (_action, quantity), price in zip(sizing.legs, prices, strict=False))
    assert cost <= min(equity, max(cash, D(0)))
    assert all(quantity >= 1 and quantity == quantity.to_integral_value() for _action, quantity in sizing.legs)
