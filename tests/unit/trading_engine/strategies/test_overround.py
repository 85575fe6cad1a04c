"""A set of outcomes that exclude each other and cost more than 1 is bet against, and pays whatever happens."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from friren.errors import RejectedRecordError
from trading_engine.strategies import BUY_NO, Overround, Quote, create_market_strategy

D = Decimal


def quote(market: str, yes: str, **more) -> Quote:
    told = {"event": "e", "excludes_others": True, **more}
    return Quote(market=market, question=market, yes_price=D(yes), no_price=1 - D(yes), **told)


def test_bets_against_each_outcome_by_its_price() -> None:
    bets = Overround().on_quotes([quote("a", "0.6"), quote("b", "0.3"), quote("c", "0.2")])

    assert [(bet.quote.market, bet.kind, bet.group) for bet in bets] == [(name, BUY_NO, "e") for name in "abc"]
    assert [bet.share * D("1.9") for bet in bets] == pytest.approx([D("0.4"), D("0.7"), D("0.8")])
    assert bets[0].confidence == pytest.approx(0.1)
    assert "0.1000 over 1" in bets[0].reasoning


@pytest.mark.parametrize(
    "quotes",
    [
        [quote("a", "0.6"), quote("b", "0.4")],
        [quote("a", "0.6"), quote("b", "0.5", event="other")],
        [quote("a", "0.6"), quote("b", "0.5", excludes_others=False)],
        [quote("a", "0.6"), quote("b", "0.5", is_open=False)],
        [quote("a", "0.6", event=""), quote("b", "0.5", event="")],
        [],
    ],
)
def test_is_silent_where_there_is_nothing_to_win(quotes) -> None:
    assert Overround().on_quotes(quotes) == []


@given(
    prices=st.lists(st.integers(1, 999).map(lambda milli: D(milli) / 1000), min_size=2, max_size=12),
    winner=st.integers(-1, 11),
)
def test_what_it_buys_never_pays_less_than_it_costs(prices, winner) -> None:
    quotes = [quote(str(number), str(price)) for number, price in enumerate(prices)]

    bets = Overround(edge=0.001).on_quotes(quotes)

    tokens = [bet.share / bet.price for bet in bets]
    paid = sum(count for number, count in enumerate(tokens) if number != winner)
    assert bool(bets) == (sum(prices) >= D("1.001"))
    assert not bets or paid > sum(bet.share for bet in bets)


def test_is_found_by_name_and_checks_its_edge() -> None:
    assert create_market_strategy("overround", edge=0.02).parameters == {"edge": 0.02}
    for edge in (0, 1.5, "much"):
        with pytest.raises(RejectedRecordError, match="edge"):
            create_market_strategy("overround", edge=edge)
    with pytest.raises(RejectedRecordError, match="one of overround"):
        create_market_strategy("sma_cross")
