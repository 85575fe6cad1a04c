"""Splits, dividends and the resolution of prediction markets."""

from __future__ import annotations

from decimal import Decimal

import pytest

from friren.core.numbers import ZERO
from portfolio_manager.accounting import Books, Dividend, Instrument, Resolution, Split, fold
from tests.books import FUTURE, MARKET, at, deposit, equity, open_positions, trade, uid

D = Decimal


def split(minute: int, ratio: str, symbol: str = "AAPL") -> Split:
    return Split(id=uid(1000 + minute), at=at(minute), symbol=symbol, ratio=D(ratio))


def dividend(minute: int, amount: str, **more: str) -> Dividend:
    return Dividend(id=uid(2000 + minute), at=at(minute), symbol="AAPL", amount=D(amount), **more)


def resolution(minute: int, yes_payout: str) -> Resolution:
    return Resolution(id=uid(3000 + minute), at=at(minute), market="fed-june", yes_payout=D(yes_payout))


def bet(minute: int, action: str, quantity: str, price: str, **more: str):
    return trade(minute, action, quantity, price, instrument=MARKET, **more)


def roles(books: Books) -> list[str]:
    return [leg.role for leg in books.legs]


def test_a_split_restates_quantities_and_leaves_money_alone() -> None:
    fills = [trade(1, "buy", "150", "640"), trade(2, "sell", "50", "650"), trade(4, "sell", "700", "100")]
    books = fold([*fills, split(3, "7")])
    (position,) = books.positions
    assert (position.opened_quantity, position.closed_quantity, position.opened_cost) == (D(1050), D(1050), D(96000))
    assert position.realized_pnl == D(50 * 650 + 70000 - 96000)
    assert roles(books) == ["OPEN", "REDUCE", "SPLIT", "CLOSE"]
    assert (books.legs[2].quantity, books.legs[2].quantity_after, books.legs[2].cost) == (D(600), D(700), ZERO)


def test_a_split_restates_every_lot_and_lots_still_sum_to_the_position() -> None:
    fills = [trade(n, "buy", "0.1", str(n)) for n in (1, 2, 3)]
    (position,) = fold([*fills, split(4, "0.333333333333333333")], cost_basis="FIFO").positions
    assert sum(lot.quantity for lot in position.lots) == position.quantity == D("0.1")
    assert sum(lot.cost for lot in position.lots) == position.total_cost == D("0.6")


def test_a_lot_that_a_split_leaves_without_quantity_leaves_its_cost_to_its_neighbour() -> None:
    smallest = "0.000000000000000001"
    fills = [trade(1, "buy", smallest, "5"), trade(2, "buy", "1", "5")]
    (position,) = fold([*fills, split(3, "0.1")], cost_basis="FIFO").positions
    assert [(lot.quantity, lot.cost) for lot in position.lots] == [(D("0.1"), D(5) + 5 * D(smallest))]


@pytest.mark.parametrize(("action", "realized"), [("buy", "-5"), ("short", "5")])
def test_a_reverse_split_that_leaves_nothing_realises_the_cost(action: str, realized: str) -> None:
    fills = [trade(1, action, "5", "1")]
    (position,) = fold([*fills, split(2, "0.0000000000000000001")]).positions
    assert (position.quantity, position.closed_at, position.realized_pnl) == (ZERO, at(2), D(realized))
    assert (position.opened_quantity, position.closed_quantity) == (D(5), D(5))


def test_a_split_reaches_every_strategy_and_leveraged_holdings_but_no_other_symbol() -> None:
    perpetual = Instrument(type="LEVERAGED", key="AAPL", currency="USD")
    fills = [
        trade(1, "buy", "1", "10", strategy="a"),
        trade(2, "short", "1", "10", strategy="b"),
        trade(3, "buy", "1", "10", instrument=perpetual),
        trade(4, "buy", "1", "10", instrument=FUTURE),
    ]
    assert [p.quantity for p in fold([*fills, split(5, "2")]).positions] == [D(2), D(2), D(2), D(1)]


def test_longs_receive_and_shorts_pay_a_dividend_on_what_is_held_at_that_moment() -> None:
    fills = [
        trade(1, "buy", "10", "10", strategy="a"),
        trade(2, "short", "4", "10", strategy="b"),
        trade(4, "buy", "90", "10", strategy="a"),
    ]
    books = fold([*fills, dividend(3, "0.25")])
    assert [line.amount for line in books.entries if line.kind == "DIVIDEND"] == [D("2.5"), D("-1")]
    assert all(p.realized_pnl == ZERO for p in books.positions)


def test_a_dividend_may_be_paid_in_another_currency_and_leveraged_holdings_get_none() -> None:
    fills = [
        trade(1, "buy", "10", "10"),
        trade(2, "buy", "1", "10", instrument=Instrument(type="LEVERAGED", key="AAPL")),
    ]
    assert fold([*fills, dividend(3, "1", currency="EUR")]).balances == {"USD": D(-100), "EUR": D(10)}


def test_an_event_that_meets_no_position_leaves_no_trace() -> None:
    books = fold([dividend(1, "1"), split(2, "2"), resolution(3, "1"), trade(4, "buy", "1", "10")])
    assert (roles(books), [line.kind for line in books.entries]) == (["OPEN"], ["FILL"])


def test_yes_pays_one_and_no_pays_nothing_when_the_market_says_yes() -> None:
    books = fold([bet(1, "buy_yes", "100", "0.4"), bet(2, "buy_no", "50", "0.55"), resolution(3, "1")])
    yes, no = books.positions
    assert (yes.slot, yes.realized_pnl, yes.closed_proceeds, yes.exit_reason) == ("YES", D(60), D(100), "RESOLUTION")
    assert (no.slot, no.realized_pnl, no.closed_at) == ("NO", D("-27.5"), at(3))
    assert books.balances == {"USD": D("32.5")}
    assert roles(books)[2:] == ["RESOLVE", "RESOLVE"]


def test_an_invalid_market_pays_each_side_its_part() -> None:
    books = fold([bet(1, "buy_yes", "100", "0.4"), bet(2, "buy_no", "100", "0.7"), resolution(3, "0.5")])
    assert [p.realized_pnl for p in books.positions] == [D(10), D(-20)]


def test_a_stated_stake_is_exact_where_quantity_times_price_is_not() -> None:
    books = fold([bet(1, "buy_yes", "14.285714285714285714", "0.7", amount="10")])
    assert books.balances == {"USD": D(-10)}
    assert books.positions[0].total_cost == D(10)


def test_an_early_sale_of_a_token_realises_its_part() -> None:
    books = fold([bet(1, "buy_yes", "100", "0.4"), bet(2, "sell_yes", "50", "0.6")])
    assert (books.positions[0].realized_pnl, books.positions[0].total_cost) == (D(10), D(20))


def test_selling_more_tokens_than_held_mints_pairs_and_keeps_the_other_half() -> None:
    books = fold([deposit("1000"), bet(1, "buy_yes", "10", "0.4"), bet(2, "sell_yes", "30", "0.6")])
    (no,) = open_positions(books)
    assert (no.side, no.quantity, no.total_cost) == ("NO", D(20), D(8))
    assert [(line.kind, line.amount) for line in books.entries[2:]] == [("FILL", D(18)), ("SETTLEMENT", D(-20))]
    assert equity(books, {("fed-june", "NO"): D("0.4")}) == D(1002)


def test_a_resolved_market_can_be_traded_again_as_a_new_position() -> None:
    books = fold([bet(1, "buy_yes", "1", "0.4"), resolution(2, "1"), bet(3, "buy_yes", "1", "0.5")])
    assert [p.quantity for p in books.positions] == [ZERO, D(1)]


@pytest.mark.parametrize("mode", ["NETTING", "HEDGING"])
def test_both_tokens_are_held_side_by_side_in_either_mode(mode: str) -> None:
    books = fold([bet(1, "buy_yes", "1", "0.4"), bet(2, "buy_no", "1", "0.5")], position_mode=mode)
    assert [p.slot for p in open_positions(books)] == ["YES", "NO"]
