"""Fills of one instrument become positions, legs and cash."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

from friren.core.numbers import ZERO
from friren.errors import RejectedRecordError
from portfolio_manager.accounting import Books, Fold, Instrument, fold
from tests.books import FUTURE, at, deposit, open_positions, trade

D = Decimal
TRIP_A, TRIP_B = UUID(int=1), UUID(int=2)


def only(books: Books):
    (position,) = books.positions
    return position


def test_adding_to_a_long_keeps_the_sum_of_costs() -> None:
    position = only(fold([trade(1, "buy", "10", "100"), trade(2, "buy", "5", "130")]))
    assert (position.side, position.quantity, position.total_cost) == ("LONG", D(15), D(1650))
    assert (position.opened_quantity, position.opened_cost, position.realized_pnl) == (D(15), D(1650), ZERO)


def test_a_partial_close_takes_its_share_of_the_cost_and_leaves_the_rest() -> None:
    books = fold([trade(1, "buy", "3", "10"), trade(2, "sell", "1", "12")])
    position = only(books)
    assert (position.quantity, position.total_cost, position.realized_pnl) == (D(2), D(20), D(2))
    assert (position.closed_quantity, position.closed_proceeds, position.closed_at) == (D(1), D(12), None)
    assert [leg.role for leg in books.legs] == ["OPEN", "REDUCE"]
    assert books.balances == {"USD": D(-18)}


def test_parts_that_do_not_divide_still_sum_to_the_whole_cost() -> None:
    fills = [trade(1, "buy", "3", "0.333333333333333333"), *(trade(n, "sell", "1", "1") for n in (2, 3, 4))]
    books = fold(fills)
    assert sum(leg.cost for leg in books.legs if leg.role != "OPEN") == D("0.999999999999999999")
    assert only(books).total_cost == ZERO


@pytest.mark.parametrize(
    ("basis", "realized", "left"), [("AVERAGE", "0", "300"), ("FIFO", "150", "450"), ("LIFO", "-150", "150")]
)
def test_the_cost_basis_decides_which_cost_a_sale_takes(basis: str, realized: str, left: str) -> None:
    fills = [trade(1, "buy", "10", "15"), trade(2, "buy", "10", "45"), trade(3, "sell", "10", "30")]
    position = only(fold(fills, cost_basis=basis))
    assert (position.realized_pnl, position.total_cost) == (D(realized), D(left))


def test_fifo_takes_from_several_lots_and_splits_the_last() -> None:
    fills = [
        trade(1, "buy", "2", "10"),
        trade(2, "buy", "2", "20"),
        trade(3, "buy", "2", "30"),
        trade(4, "sell", "3", "40"),
    ]
    position = only(fold(fills, cost_basis="FIFO"))
    assert position.realized_pnl == D(120 - 20 - 20)
    assert [(lot.quantity, lot.cost) for lot in position.lots] == [(D(1), D(20)), (D(2), D(60))]


def test_a_short_earns_when_it_is_covered_lower() -> None:
    books = fold([trade(1, "short", "10", "50"), trade(2, "cover", "10", "40")])
    position = only(books)
    assert (position.side, position.realized_pnl, position.closed_proceeds) == ("SHORT", D(100), D(400))
    assert position.closed_at == at(2)
    assert books.balances == {"USD": D(100)}


def test_a_sale_across_zero_closes_the_long_and_opens_a_short() -> None:
    books = fold([trade(1, "buy", "10", "10"), trade(2, "sell", "15", "12", exit_reason="SIGNAL")])
    closed, opened = books.positions
    assert (closed.quantity, closed.realized_pnl, closed.exit_reason) == (ZERO, D(20), "SIGNAL")
    assert (opened.side, opened.quantity, opened.total_cost, opened.trade) == (
        "SHORT",
        D(5),
        D(60),
        books.legs[-1].source,
    )
    assert [(leg.role, leg.number) for leg in books.legs] == [("OPEN", 0), ("CLOSE", 0), ("OPEN", 1)]


def test_the_two_legs_of_a_flip_sum_to_the_fill_in_money_and_commission() -> None:
    flip = trade(2, "sell", "3", "0.333333333333333333", commission="0.000000000000000001")
    books = fold([trade(1, "buy", "1.000000000000000001", "1"), flip])
    close, opened = books.legs[1:]
    assert close.cost + close.realized_pnl + opened.cost == D("0.999999999999999999")
    assert close.commission + opened.commission == D("0.000000000000000001")
    assert books.balances["USD"] == D("-1.000000000000000001") + D("0.999999999999999999") - D("0.000000000000000001")


def test_strategies_hold_apart_from_one_another() -> None:
    books = fold([trade(1, "buy", "10", "10", strategy="a"), trade(2, "sell", "10", "12", strategy="b")])
    assert [(p.strategy, p.side) for p in open_positions(books)] == [("a", "LONG"), ("b", "SHORT")]


def test_spot_and_leveraged_holdings_of_a_symbol_never_offset() -> None:
    perpetual = Instrument(type="LEVERAGED", key="AAPL", currency="USD")
    books = fold([trade(1, "buy", "10", "10"), trade(2, "sell", "10", "12", instrument=perpetual)])
    assert len(open_positions(books)) == 2


def test_commission_is_cash_and_never_cost() -> None:
    books = fold(
        [deposit("1000"), trade(1, "buy", "10", "10", commission="1"), trade(2, "sell", "10", "11", commission="2")]
    )
    position = only(books)
    assert (position.realized_pnl, position.commission) == (D(10), D(3))
    assert books.balances == {"USD": D(1007)}


def test_commission_in_another_currency_is_in_the_ledger_alone() -> None:
    books = fold([trade(1, "buy", "1", "10", commission="0.01", commission_currency="BNB")])
    assert only(books).commission == ZERO
    assert books.balances == {"USD": D(-10), "BNB": D("-0.01")}


def test_a_rebate_is_a_negative_commission() -> None:
    books = fold([trade(1, "buy", "1", "10", commission="-0.5")])
    assert books.balances == {"USD": D("-9.5")}
    assert only(books).commission == D("-0.5")


def test_leveraged_trades_move_only_profit_and_commission() -> None:
    fills = [
        trade(1, "buy", "2", "5000", instrument=FUTURE, commission="4", leverage="10"),
        trade(2, "sell", "1", "5010", instrument=FUTURE),
        trade(3, "sell", "2", "4990", instrument=FUTURE),
    ]
    books = fold([deposit("100000"), *fills])
    assert books.balances == {"USD": D(100000 - 4 + 500 - 500)}
    assert [line.kind for line in books.entries] == ["DEPOSIT", "COMMISSION", "REALIZED", "REALIZED"]
    assert (books.positions[1].side, books.positions[1].total_cost) == ("SHORT", D(4990 * 50))


def test_a_negative_price_is_a_price() -> None:
    books = fold([trade(1, "buy", "2", "-37.63"), trade(2, "sell", "2", "-10")])
    assert (books.positions[0].opened_cost, books.positions[0].realized_pnl) == (D("-75.26"), D("55.26"))
    assert books.balances == {"USD": D("55.26")}


def test_hedging_holds_both_sides_and_each_action_knows_its_side() -> None:
    fills = [
        trade(1, "buy", "10", "10"),
        trade(2, "short", "4", "12"),
        trade(3, "cover", "1", "11"),
        trade(4, "sell", "3", "13"),
    ]
    long, short = open_positions(fold(fills, position_mode="HEDGING"))
    assert (long.slot, long.quantity, long.realized_pnl) == ("LONG", D(7), D(9))
    assert (short.slot, short.quantity, short.realized_pnl) == ("SHORT", D(3), D(1))


def test_hedging_adds_the_excess_of_a_sale_to_the_short_that_is_already_held() -> None:
    fills = [trade(1, "buy", "2", "10"), trade(2, "short", "5", "10"), trade(3, "sell", "3", "12")]
    books = fold(fills, position_mode="HEDGING")
    (short,) = open_positions(books)
    assert (short.quantity, short.total_cost, books.positions[0].realized_pnl) == (D(6), D(62), D(4))
    assert [(leg.role, leg.number) for leg in books.legs[2:]] == [("CLOSE", 0), ("INCREASE", 1)]


def test_hedging_by_round_trip_nets_within_the_trip_alone() -> None:
    fills = [
        trade(1, "buy", "2", "10", round_trip=TRIP_A),
        trade(2, "buy", "2", "20", round_trip=TRIP_B),
        trade(3, "sell", "3", "30", round_trip=TRIP_A),
    ]
    books = fold(fills, position_mode="HEDGING")
    assert books.positions[0].realized_pnl == D(40)
    assert {(p.slot, p.side, p.quantity) for p in open_positions(books)} == {
        (str(TRIP_B), "LONG", D(2)),
        (str(TRIP_A), "SHORT", D(1)),
    }


def test_netting_ignores_the_round_trip_and_treats_short_as_sell() -> None:
    fills = [trade(1, "buy", "2", "10", round_trip=TRIP_A), trade(2, "short", "2", "11", round_trip=TRIP_B)]
    assert not open_positions(fold(fills))


def test_a_position_carries_the_keys_of_its_opening_trade_and_the_latest_stops() -> None:
    fills = [
        trade(1, "buy", "2", "10", regime_at_entry="BULL", stop_loss_price="9", target_price="15"),
        trade(2, "buy", "2", "11", regime_at_entry="BEAR", stop_loss_price="10"),
        trade(3, "sell", "1", "11"),
    ]
    position = only(fold(fills))
    assert (position.regime_at_entry, position.opened_at) == ("BULL", at(1))
    assert (position.stop_loss_price, position.target_price) == (D(10), D(15))


def test_facts_of_one_moment_are_ordered_by_id() -> None:
    buy, sell = trade(1, "buy", "1", "10"), trade(2, "sell", "1", "11", executed_at=at(1))
    assert fold([sell, buy]) == fold([buy, sell])
    assert fold([buy, sell]).positions[0].side == "LONG"


def test_a_late_fill_changes_what_followed_it() -> None:
    early, late = [trade(2, "sell", "1", "12"), trade(3, "buy", "1", "11")], trade(1, "buy", "1", "10")
    books = fold([*early, late])
    assert [p.realized_pnl for p in books.positions] == [D(2), ZERO]


def test_a_sum_that_the_books_cannot_hold_is_refused_and_changes_nothing() -> None:
    folding = Fold()
    folding.apply(trade(1, "buy", "6e19", "1"))
    with pytest.raises(RejectedRecordError, match="1e20"):
        folding.apply(trade(2, "buy", "6e19", "1"))
    assert [p.quantity for p in folding.open_positions()] == [D("6e19")]


def test_twenty_integer_digits_and_eighteen_decimals_stay_exact() -> None:
    books = fold(
        [
            trade(1, "buy", "99999999999999999999.999999999999999999", "0.9"),
            trade(2, "sell", "99999999999999999999.999999999999999998", "0.9"),
        ]
    )
    assert only(books).quantity == D("0.000000000000000001")
    assert only(books).closed_quantity == D("99999999999999999999.999999999999999998")
