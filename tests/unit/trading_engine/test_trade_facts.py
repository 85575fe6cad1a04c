"""What a caller tells of a trade or an order becomes a fact, with the id it is known by."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.core.numbers import LIMIT
from friren.errors import RejectedRecordError
from tests.bad_values import KINDS
from trading_engine.models import Symbol
from trading_engine.symbols import symbol_key
from trading_engine.trade_facts import fact_key, order_fact, trade_fact

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
BOOK = AccountHandle(
    id=UUID(int=1), name="book", owner="system", environment="PAPER", base_currency="USD", cost_basis="AVERAGE",
    position_mode="NETTING", timezone="UTC",
)  # fmt: skip
FILL = {"symbol": "AAPL", "action": "buy", "quantity": 10, "price": Decimal("187.32"), "timestamp": NOON}
ORDER = {name: value for name, value in FILL.items() if name != "price"}


def key(given, *, venue=None, external_id=None):
    return fact_key("trade", BOOK, given, field="trade_id", venue=venue, external_id=external_id)


class TestKeys:
    def test_a_uuid_is_the_id(self) -> None:
        own = uuid4()

        assert key(own) == key(str(own)) == (own, None)
        assert key(own, external_id="77") == (own, "77")

    def test_other_text_is_the_id_of_another_system(self) -> None:
        derived = natural_id("trade", BOOK.id, "IBKR", "77")

        assert key("77", venue="IBKR") == key(None, venue="IBKR", external_id="77") == (derived, "77")
        assert key("77", venue="IBKR", external_id="77") == (derived, "77")

    def test_a_venue_that_is_not_told_is_empty(self) -> None:
        assert key("77") == key("77", venue="") == (natural_id("trade", BOOK.id, "", "77"), "77")

    def test_nothing_told_leaves_it_to_be_made(self) -> None:
        assert key(None) == (None, None)
        assert key(None, external_id="") == (None, None)
        assert trade_fact(BOOK, **FILL).id.version == 7

    def test_two_texts_that_differ_are_refused(self) -> None:
        with pytest.raises(RejectedRecordError) as caught:
            key("77", external_id="78")

        assert (caught.value.field, caught.value.value) == ("trade_id", "77")

    @pytest.mark.parametrize(("name", "kind"), [("venue", "text(50)"), ("external_id", "text(255)")])
    def test_what_cannot_be_a_key_is_refused_before_it_is_hashed(self, name, kind) -> None:
        for value in KINDS[kind]:
            with pytest.raises(RejectedRecordError) as caught:
                key(None, **{"external_id": "77", name: value})
            assert caught.value.field == name


@pytest.mark.parametrize(
    ("told", "kind"),
    [({}, None), ({"leverage": 2}, "LEVERAGED"), ({"instrument_type": "leveraged"}, "LEVERAGED"),
     ({"symbol": None, "market": "m", "action": "sell_no", "price": Decimal("0.2")}, "PREDICTION")],
)  # fmt: skip
def test_the_kind_of_instrument_follows_from_what_is_told(told, kind) -> None:
    # EQUITY is the column's default, and left out.
    assert trade_fact(BOOK, **{**FILL, **told}).values.get("instrument_type") == kind


def test_a_stake_beyond_what_the_books_hold_is_refused() -> None:
    half = LIMIT / 2

    assert trade_fact(BOOK, **{**FILL, "quantity": half, "price": Decimal("1.99")})
    for price in (2, -2):
        with pytest.raises(RejectedRecordError) as caught:
            trade_fact(BOOK, **{**FILL, "quantity": half, "price": price})
        assert caught.value.field == "quantity"


def test_the_same_trade_and_order_told_twice_are_the_same_facts() -> None:
    for make, told in ((trade_fact, FILL), (order_fact, ORDER)):
        one, other = make(BOOK, **told, external_id="77"), make(BOOK, **told, external_id="77")

        assert (one.id, one.digest) == (other.id, other.digest)


@pytest.mark.parametrize(("make", "told"), [(trade_fact, FILL), (order_fact, ORDER)])
@pytest.mark.parametrize("keyword", ["status", "account_id", "submitted_at", "no_such_thing"])
def test_columns_that_move_are_no_keywords(make, told, keyword) -> None:
    with pytest.raises(TypeError, match=keyword):
        make(BOOK, **told, **{keyword: "filled"})


class TestSymbols:
    @pytest.mark.parametrize(
        ("given", "parsed"),
        [
            ("AAPL", ["AAPL", ""]),
            (("AAPL", "XNAS"), ["AAPL", "XNAS"]),
            (["AAPL", ""], ["AAPL", ""]),
            (Symbol(ticker="AAPL", venue="XNAS"), ["AAPL", "XNAS"]),
            ("x" * 100, ["x" * 100, ""]),
            ("AB", ["AB", ""]),
        ],
        ids=str,
    )
    def test_are_ticker_and_venue(self, given, parsed) -> None:
        assert symbol_key("symbol", given) == parsed

    def test_are_checked_in_every_form(self) -> None:
        for value in [
            *KINDS["symbol"],
            None,
            Symbol(ticker=""),
            Symbol(ticker="a\x00b"),
            Symbol(ticker="A", venue="\x00"),
        ]:
            with pytest.raises(RejectedRecordError) as caught:
                symbol_key("symbol", value)
            assert caught.value.field in {"symbol", "symbol (venue)"}
