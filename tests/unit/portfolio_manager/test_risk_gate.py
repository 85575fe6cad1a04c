"""The risk gate: how many shares a signal may buy, and each reason for none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from friren.errors import RejectedRecordError
from portfolio_manager.risk_gate import Refusal, RiskGate, Sizing
from trading_engine.strategies import ENTRY_LONG, EXIT_LONG


def size(
    kind=ENTRY_LONG, *, slots=1, price="100", held="0", order_open=False, equity="100000", free=None, multiplier="1"
):
    return RiskGate(slots=slots, commission=Decimal(1)).size(
        kind,
        price=Decimal(price),
        held=Decimal(held),
        order_open=order_open,
        equity=Decimal(equity),
        free_cash=Decimal(equity if free is None else free),
        multiplier=Decimal(multiplier),
    )


class TestSize:
    def test_is_95_percent_of_equity_for_one_strategy_on_one_symbol(self):
        # The commission comes out of the free cash first: 0.95 × 99999 = 94999.05.
        assert size() == Sizing("buy", Decimal(949))
        assert size(price="99.99") == Sizing("buy", Decimal(950))

    def test_is_shared_equally_over_the_slots(self):
        # 95000 / 6 = 15833.33…
        assert size(slots=6) == Sizing("buy", Decimal(158))

    def test_is_a_whole_number_of_shares(self):
        assert size(price="3333.33") == Sizing("buy", Decimal(28))

    def test_takes_the_multiplier_into_the_price(self):
        assert size(multiplier="50") == Sizing("buy", Decimal(18))

    def test_is_cut_to_the_cash_that_is_free(self):
        # Two slots of 47500 each, but only 20001 in cash: 0.95 × 20000.
        assert size(slots=2, free="20001") == Sizing("buy", Decimal(190))

    def test_of_an_exit_is_all_that_is_held(self):
        assert size(EXIT_LONG, held="17") == Sizing("sell", Decimal(17))

    @given(
        slots=st.integers(1, 50),
        price=st.decimals("0.0001", "100000", places=4),
        equity=st.decimals("0", "10000000", places=2),
        free=st.decimals("-1000", "10000000", places=2),
    )
    def test_never_spends_more_than_the_slot_or_the_free_cash(self, slots, price, equity, free):
        sizing = size(slots=slots, price=price, equity=equity, free=free)

        assert (sizing.quantity > 0) == (sizing.refusal is None)
        assert sizing.quantity == sizing.quantity.to_integral_value()
        assert sizing.quantity * price * slots <= equity * Decimal("0.95")
        assert not sizing.quantity or sizing.quantity * price + 1 <= free


class TestRefusal:
    @pytest.mark.parametrize(
        ("call", "reason"),
        [
            ({"held": "5"}, Refusal.ALREADY_INVESTED),
            ({"kind": EXIT_LONG}, Refusal.NOTHING_TO_SELL),
            ({"order_open": True}, Refusal.ORDER_OPEN),
            ({"kind": EXIT_LONG, "held": "5", "order_open": True}, Refusal.ORDER_OPEN),
            ({"price": "0"}, Refusal.NO_PRICE),
            ({"price": "-37.63"}, Refusal.NO_PRICE),
            ({"free": "0"}, Refusal.NO_CASH),
            ({"free": "-5"}, Refusal.NO_CASH),
            ({"slots": 1000, "price": "100"}, Refusal.TOO_SMALL),
            ({"kind": "HOLD"}, Refusal.UNKNOWN_SIGNAL),
        ],
    )
    def test_names_its_reason_and_trades_nothing(self, call, reason):
        assert size(**call) == Sizing("", Decimal(0), reason)

    def test_every_reason_is_covered_above(self):
        assert set(Refusal) == {
            case[1] for case in TestRefusal.test_names_its_reason_and_trades_nothing.pytestmark[0].args[1]
        }


class TestGate:
    @pytest.mark.parametrize(
        ("field", "value"), [("slots", 0), ("invested", Decimal(0)), ("invested", Decimal("1.01"))]
    )
    def test_refuses_limits_that_make_no_sense(self, field, value):
        with pytest.raises(RejectedRecordError) as refused:
            RiskGate(**{"slots": 1, field: value})
        assert refused.value.field == field
