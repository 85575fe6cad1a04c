"""How the admin shows values: as people write them, abbreviated in lists, whole on pages."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

import pytest

from friren.operations.admin.columns import column, computed, is_empty, shown
from trading_engine.models import BacktestResult, Trade

KEY = UUID("01a1f78f-014f-72b3-a894-3d14ca22a200")
OPENING = dt.datetime(2024, 1, 8, 9, 30, 1, 5, tzinfo=dt.timezone(dt.timedelta(hours=-5)))


def text_of(value) -> str:
    """What stands between the tags."""
    return str(value).partition(">")[2].rpartition("<")[0]


@pytest.mark.parametrize(
    ("value", "in_lists", "on_pages"),
    [
        (Decimal("187.320000000000000000"), "187.32", "187.32"),
        (Decimal("1E-18"), "0.000000000000000001", "0.000000000000000001"),
        (Decimal("1E+19"), "10000000000000000000", "10000000000000000000"),
        (Decimal("-0.00"), "0", "0"),
        (0.1 + 0.2, "0.3", "0.30000000000000004"),
        (1e-9, "0.000000001", "0.000000001"),
        (7, "7", "7"),
        (KEY, "…ca22a200", str(KEY)),
        (b"\x00\xff" * 8, "00ff00ff…", "00ff" * 8),
        (dt.datetime(2024, 1, 8, tzinfo=dt.UTC), "2024-01-08 00:00 UTC", "2024-01-08 00:00 UTC"),
        (OPENING, "2024-01-08 14:30:01 UTC", "2024-01-08 14:30:01.000005 UTC"),
    ],
    ids=str,
)
def test_values_are_shown_as_people_write_them(value, in_lists, on_pages) -> None:
    assert text_of(shown(value)) == in_lists
    assert text_of(shown(value, whole=True)) == on_pages


def test_days_and_texts_are_shown_as_they_are() -> None:
    assert shown(dt.date(2024, 1, 8)) == "2024-01-08"
    assert shown("sma_cross") == "sma_cross"
    assert shown("word " * 100).endswith("…")
    assert text_of(shown("word " * 100, whole=True)) == "word " * 100


@pytest.mark.parametrize("nothing", [None, "", [], {}], ids=repr)
def test_nothing_is_left_to_the_sign_of_the_admin(nothing) -> None:
    assert is_empty(nothing)
    assert shown(nothing) is None


@pytest.mark.parametrize("something", [0, False, Decimal(0), " "], ids=repr)
def test_zero_and_no_are_not_nothing(something) -> None:
    assert not is_empty(something)
    assert shown(something) is not None


def test_what_others_wrote_is_never_taken_for_markup() -> None:
    script = "<script>alert(1)</script>"
    for value in (script, {"key": script}, [script]):
        for whole in (True, False):
            # Plain text is escaped by the template, safe text must be already.
            text = shown(value, whole=whole)
            assert not hasattr(text, "__html__") or "<script" not in text


def test_json_is_laid_out_on_pages() -> None:
    assert text_of(shown({"rsi": 0.12, "é": []}, whole=True)) == "{\n  &quot;rsi&quot;: 0.12,\n  &quot;é&quot;: []\n}"
    assert shown({"rsi": 0.12}) == '{"rsi": 0.12}'


def test_a_column_shows_its_field_of_a_row() -> None:
    trade = Trade(action="buy", quantity=Decimal("10.00"), commission=Decimal("-1.50"), regime_at_entry="")

    assert text_of(column(Trade, "action")(trade)) == "buy"
    assert text_of(column(Trade, "quantity")(trade)) == "10"
    assert 'class="friren-negative"' in column(Trade, "commission")(trade)
    assert column(Trade, "regime_at_entry")(trade) is None
    assert column(Trade, "regime_at_entry", whole=True)(trade) == "–"
    assert column(Trade, "market")(trade) is None
    assert column(Trade, "market", whole=True)(trade) == "–"


def test_a_column_tells_django_how_to_sort_and_head_it() -> None:
    price, account = column(Trade, "price"), column(Trade, "account")

    assert (price.__name__, price.short_description, price.admin_order_field) == ("price", "Price", "price")
    assert price.numeric
    assert account.admin_order_field is None
    assert not account.numeric
    assert computed("entry_price", str).short_description == "Entry price"
    assert column(Trade, "price") is price
    assert column(BacktestResult, "sharpe_ratio").numeric
