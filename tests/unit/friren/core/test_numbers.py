"""Exact numbers are rounded in one way and written in one way."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from friren.core.numbers import CONTEXT, DECIMAL_PLACES, LIMIT, MAX_DIGITS, plain, quantize

finite = st.decimals(allow_nan=False, allow_infinity=False, min_value=-LIMIT, max_value=LIMIT)


def test_the_limit_is_what_the_column_holds() -> None:
    assert (38, 18, Decimal("100000000000000000000")) == (MAX_DIGITS, DECIMAL_PLACES, LIMIT)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        ("0.0000000000000000005", "0"),
        ("0.0000000000000000015", "0.000000000000000002"),
        ("0.0000000000000000025", "0.000000000000000002"),
        ("-0.0000000000000000015", "-0.000000000000000002"),
        ("0.00000000000000000050000000001", "0.000000000000000001"),
        ("99999999999999999999.9999999999999999994", "99999999999999999999.999999999999999999"),
    ],
)
def test_rounds_half_even_at_the_eighteenth_decimal(value, rounded) -> None:
    assert quantize(Decimal(value)) == Decimal(rounded)
    assert quantize(Decimal(value)).as_tuple().exponent == -DECIMAL_PLACES


@given(finite)
def test_rounding_twice_is_rounding_once(value) -> None:
    once = quantize(value)

    assert quantize(once) == once
    assert abs(CONTEXT.subtract(once, value)) <= Decimal("0.5E-18")


def test_the_product_of_three_full_numbers_is_exact() -> None:
    widest = Decimal("99999999999999999999.999999999999999999")

    product = CONTEXT.multiply(CONTEXT.multiply(widest, widest), widest)

    assert product == Decimal((10**38 - 1) ** 3).scaleb(-54, CONTEXT)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("187.320000000000000000", "187.32"),
        ("1E-18", "0.000000000000000001"),
        ("1E+3", "1000"),
        ("100", "100"),
        ("-0", "0"),
        ("0E-18", "0"),
        ("-1.50", "-1.5"),
        ("0.10", "0.1"),
    ],
)
def test_is_written_as_people_write_it(value, text) -> None:
    assert plain(Decimal(value)) == text


def test_nothing_is_written_as_nothing() -> None:
    assert plain(None) == ""


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_not_finite_has_no_plain_form(value) -> None:
    with pytest.raises(InvalidOperation):
        plain(Decimal(value))


@given(finite)
def test_what_is_written_reads_back_the_same(value) -> None:
    text = plain(value)

    assert Decimal(text) == value
    assert "E" not in text
    assert not text.endswith(".")
