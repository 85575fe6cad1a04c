"""The cycle's own book in memory, against figures worked out by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from friren.core.ids import new_id
from friren.core.numbers import CONTEXT
from friren.errors import RejectedRecordError
from portfolio_manager.accounting import Cash, Fill, Instrument, exact_sum, fold
from portfolio_manager.trading_book import TradingBook

START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def deposit(amount=100_000):
    return Cash(id=new_id(), at=START, kind="DEPOSIT", currency="USD", amount=Decimal(amount))


def fill(action, quantity, price, *, day=1, symbol="AAA", strategy="s", commission=1, **instrument):
    return Fill(
        id=new_id(),
        executed_at=START + dt.timedelta(days=day),
        instrument=Instrument(**{"type": "EQUITY", "key": symbol, **instrument}),
        action=action,
        quantity=Decimal(quantity),
        price=Decimal(price),
        strategy=strategy,
        commission=Decimal(commission),
    )


@pytest.fixture
def book():
    book = TradingBook()
    book.apply(deposit())
    return book


def test_cash_pays_for_a_buy_and_its_commission(book):
    book.apply(fill("buy", 10, "12.5"))

    assert book.cash == Decimal(99874)
    assert book.held("AAA", "s") == 10
    assert book.held("AAA", "other") == book.held("BBB", "s") == 0


def test_equity_is_cash_and_positions_at_their_last_close(book):
    book.apply(fill("buy", 10, "12.5"))
    book.apply(fill("buy", 4, "100", symbol="BBB"))
    book.take_close("AAA", Decimal(13))
    book.take_close("BBB", Decimal(90))

    # 100000 - 125 - 400 - 2 + 130 + 360
    assert book.equity() == Decimal(99963)
    assert book.values() == {"AAA": Decimal(130), "BBB": Decimal(360)}
    assert [book.mark(position).unrealized_pnl for position in book.positions()] == [Decimal(5), Decimal(-40)]


def test_slots_of_one_symbol_are_held_apart_and_valued_together(book):
    book.apply(fill("buy", 10, "10", strategy="one"))
    book.apply(fill("buy", 5, "10", strategy="two"))
    book.take_close("AAA", Decimal(11))

    assert (book.held("AAA", "one"), book.held("AAA", "two")) == (10, 5)
    assert book.values() == {"AAA": Decimal(165)}


def test_a_closed_position_stays_listed_with_its_profit(book):
    book.apply(fill("buy", 10, "10"))
    book.apply(fill("sell", 10, "12", day=2))

    (position,) = book.positions()
    assert (position.quantity, position.realized_pnl, position.commission) == (0, 20, 2)
    assert book.equity() == book.cash == Decimal(100018)


def test_a_leveraged_position_counts_with_its_profit_alone(book):
    book.apply(fill("buy", 2, "100", type="LEVERAGED", multiplier=Decimal(50)))
    book.take_close("AAA", Decimal(101))

    assert book.cash == Decimal(99999)
    assert book.equity() == Decimal(100099)


def test_a_position_without_a_close_has_no_value(book):
    book.apply(fill("buy", 10, "10"))

    with pytest.raises(RejectedRecordError, match="a symbol of which a close was taken"):
        book.equity()


def test_agrees_with_the_fold_of_the_same_facts():
    facts = [
        deposit(),
        *(
            fill("buy" if day % 2 else "sell", 7, f"1{day}.37", day=day, symbol="AB"[day // 2 % 2])
            for day in range(1, 13)
        ),
    ]
    book = TradingBook()
    for fact in facts:
        book.apply(fact)

    books = fold(reversed(facts))
    assert book.cash == books.balances["USD"]
    assert {position.id: position for position in book.positions()} == {each.id: each for each in books.positions}


FILLS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "short", "cover"]),
        st.decimals("0.001", "5000", places=3),
        st.decimals("-40", "90000", places=6),
        st.sampled_from(["AAA", "BBB"]),
        st.sampled_from(["one", "two"]),
        st.decimals("-2", "9", places=4),
    ),
    max_size=25,
)


@given(fills=FILLS, closes=st.tuples(st.decimals("-40", "90000", places=6), st.decimals("0", "90000", places=6)))
def test_equity_is_the_start_and_the_profit_of_all_round_trips_to_the_last_digit(fills, closes):
    book = TradingBook()
    book.apply(deposit())
    for day, (action, quantity, price, symbol, strategy, commission) in enumerate(fills, start=1):
        book.apply(fill(action, quantity, price, day=day, symbol=symbol, strategy=strategy, commission=commission))
    for symbol, close in zip(("AAA", "BBB"), closes, strict=True):
        book.take_close(symbol, close)

    profit = exact_sum(trip.net_pnl for trip in book.round_trips())
    assert book.equity() == CONTEXT.add(Decimal(100_000), profit)
