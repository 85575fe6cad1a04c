"""The checker: what it lets through, and in which form."""

from __future__ import annotations

import datetime as dt
import uuid
import zoneinfo
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from friren.core.choices import Environment
from friren.core.numbers import LIMIT
from friren.errors import RejectedRecordError
from friren.persistence import checks
from tests.bad_values import KINDS
from tests.fact_strategies import json_objects

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
STORED = {value.casefold(): value for value in Environment.values}


def decimal(value):
    return checks.check_decimal("x", value, allows=lambda number: -LIMIT < number < LIMIT, rule="small")


def ratio(value):
    return checks.check_measure("x", value, places=4, allows=lambda number: 0 <= number <= 1, rule="between 0 and 1")


def choice(value):
    return checks.check_choice("x", value, stored=STORED, blank=False)


CHECKS = [
    (decimal, "money"),
    (ratio, "ratio"),
    (lambda value: checks.check_stat("x", value), "stat"),
    (lambda value: checks.check_count("x", value, minimum=-(2**63), maximum=2**63 - 1), "bigint"),
    (lambda value: checks.check_boolean("x", value), "boolean"),
    (lambda value: checks.check_text("x", value, length=50, blank=False), "name(50)"),
    (lambda value: checks.check_texts("x", value, length=64), "texts(64)"),
    (choice, "choice"),
    (lambda value: checks.check_time("x", value), "time"),
    (lambda value: checks.check_uuid("x", value), "uuid"),
    (lambda value: checks.check_json("x", value, kind=dict), "json"),
]


@pytest.mark.parametrize(("check", "kind"), CHECKS, ids=[kind for _, kind in CHECKS])
def test_refuses_every_bad_value_of_its_kind(check, kind) -> None:
    for value in KINDS[kind]:
        with pytest.raises(RejectedRecordError) as caught:
            check(value)
        assert caught.value.field.startswith("x")
        assert caught.value.rule


class TestDecimal:
    @pytest.mark.parametrize("value", [0, 5, -(10**20) + 1, Decimal("187.320"), Decimal("1E+19"), Decimal("1E-18")])
    def test_passes_unchanged(self, value) -> None:
        assert decimal(value) == value
        assert type(decimal(value)) is Decimal

    def test_drops_zeros_behind_the_eighteenth_decimal(self) -> None:
        assert str(decimal(Decimal("1.10000000000000000000000"))) == "1.100000000000000000"

    @pytest.mark.parametrize("value", ["0E+1000000000", "-0", "0E-1000000000"])
    def test_takes_every_zero_as_nought(self, value) -> None:
        assert str(decimal(Decimal(value))) == "0"

    @given(st.integers(-(10**38) + 1, 10**38 - 1))
    def test_keeps_every_digit(self, count) -> None:
        value = Decimal(count).scaleb(-18, checks.CONTEXT)

        assert decimal(value) == value


class TestMeasure:
    @pytest.mark.parametrize(
        ("value", "stored"),
        [
            (0.71, "0.7100"), (1, "1.0000"), (0, "0.0000"), (0.12345, "0.1234"), (0.12355, "0.1236"), (1e-9, "0.0000"),
            (Decimal("0.99999"), "1.0000"), (Decimal("1E-1000"), "0.0000"), (0.1 + 0.2, "0.3000"),
        ],
    )  # fmt: skip
    def test_rounds_half_even_to_its_column(self, value, stored) -> None:
        assert str(ratio(value)) == stored


class TestStat:
    @pytest.mark.parametrize("value", [1, 1.5, Decimal("1.5"), -1e308, 5e-324])
    def test_is_a_float(self, value) -> None:
        assert type(checks.check_stat("x", value)) is float
        assert checks.check_stat("x", value) == float(value)


class TestText:
    @pytest.mark.parametrize("value", ["", "Zürich", "\U0001f600" * 50, "\x1f", "a\nb", " "])
    def test_passes_unchanged(self, value) -> None:
        assert checks.check_text("x", value, length=50) == value

    def test_of_a_choice_is_its_value(self) -> None:
        text = checks.check_text("x", Environment.LIVE)

        assert (text, type(text)) == ("LIVE", str)

    def test_in_a_list_is_named_by_its_place(self) -> None:
        with pytest.raises(RejectedRecordError) as caught:
            checks.check_texts("tags", ["a", "b", 5], length=64)

        assert caught.value.field == "tags[2]"
        assert checks.check_texts("tags", ("a", "b")) == ["a", "b"]


@pytest.mark.parametrize("value", ["LIVE", "live", "Live", Environment.LIVE])
def test_a_choice_is_taken_in_any_case(value) -> None:
    assert choice(value) == "LIVE"


def test_a_refused_choice_is_told_the_list() -> None:
    with pytest.raises(RejectedRecordError, match="LIVE, PAPER, BACKTEST"):
        choice("LIFE")


class TestTime:
    @pytest.mark.parametrize(
        "value",
        [
            NOON,
            NOON.astimezone(zoneinfo.ZoneInfo("America/New_York")),
            pd.Timestamp(NOON),
            pd.Timestamp("2026-01-05 13:00", tz="Europe/Berlin"),
        ],
    )
    def test_is_told_in_utc(self, value) -> None:
        moment = checks.check_time("x", value)

        assert (moment, moment.tzinfo, type(moment)) == (NOON, dt.UTC, dt.datetime)

    def test_tells_the_two_hours_of_a_changing_clock_apart(self) -> None:
        berlin = zoneinfo.ZoneInfo("Europe/Berlin")
        hours = [checks.check_time("x", dt.datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold)) for fold in (0, 1)]

        assert hours[1] - hours[0] == dt.timedelta(hours=1)

    def test_keeps_microseconds(self) -> None:
        assert checks.check_time("x", pd.Timestamp("2026-01-05 12:00:00.123456", tz="UTC")).microsecond == 123456


def test_a_date_is_no_datetime() -> None:
    assert checks.check_date("x", NOON.date()) == NOON.date()
    for value in (NOON, pd.Timestamp(NOON), pd.NaT, "2026-01-05", None):
        with pytest.raises(RejectedRecordError):
            checks.check_date("x", value)


def test_a_uuid_is_taken_as_such_or_as_its_usual_text() -> None:
    key = uuid.uuid4()

    assert {checks.check_uuid("x", form) for form in (key, str(key), str(key).upper())} == {key}


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_an_address_is_told_as_postgresql_shows_it(value, stored) -> None:
    assert checks.check_address("x", value) == stored


@pytest.mark.parametrize("value", ["", "example.org", "192.0.2.0/24", "fe80::1%eth0", 3221225985, None, "1.2.3"])
def test_what_is_no_address_is_refused(value) -> None:
    with pytest.raises(RejectedRecordError):
        checks.check_address("x", value)


class TestJson:
    def test_tells_where_the_fault_is(self) -> None:
        with pytest.raises(RejectedRecordError) as caught:
            checks.check_json("extra", {"a": [1, {"b": float("nan")}]})

        assert caught.value.field == "extra.a[1].b"

    @pytest.mark.parametrize(
        ("value", "stored"),
        [
            ({"a": Decimal("1.50")}, {"a": "1.5"}),
            ({"a": Decimal("1E+3")}, {"a": "1000"}),
            ({"a": (1, 2)}, {"a": [1, 2]}),
            ({"a": -0.0}, {"a": 0.0}),
            ({"a": None, "b": True}, {"a": None, "b": True}),
            ({"a": Environment.LIVE}, {"a": "LIVE"}),
            ({"a": 10**999}, {"a": 10**999}),
        ],
        ids=str,
    )
    def test_is_told_in_plain_types(self, value, stored) -> None:
        assert repr(checks.check_json("x", value)) == repr(stored)

    def test_is_a_copy(self) -> None:
        inner = [1]
        checked = checks.check_json("x", {"a": inner})
        inner.append(2)

        assert checked == {"a": [1]}

    @given(json_objects)
    def test_checked_twice_is_checked_once(self, tree) -> None:
        once = checks.check_json("x", tree)

        assert checks.check_json("x", once) == once

    def test_as_deep_as_allowed_passes(self) -> None:
        tree: object = 1
        for _ in range(checks.JSON_DEPTH_MAX - 1):
            tree = [tree]

        assert checks.check_json("x", tree) == tree


class TestRecord:
    def test_is_a_mapping_of_known_keywords(self) -> None:
        assert checks.check_record("trade", {"a": 1}, known=frozenset("ab"), of="log_trade") == {"a": 1}
        with pytest.raises(RejectedRecordError, match="no keyword of log_trade") as caught:
            checks.check_record("trade", {"a": 1, "c": 2}, known=frozenset("ab"), of="log_trade")
        assert caught.value.field == "c"

    def test_an_unknown_keyword_of_a_call_is_a_mistake_of_the_program(self) -> None:
        checks.refuse_unknown({"a": 1}, known=frozenset("ab"), of="log_trade")
        with pytest.raises(TypeError, match=r"log_trade\(\) got an unexpected keyword argument 'c'"):
            checks.refuse_unknown({"a": 1, "c": 2}, known=frozenset("ab"), of="log_trade")


def test_numpy_scalars_are_no_numbers_of_ours() -> None:
    for value in (np.float64(0.5), np.float32(0.5), np.int64(1)):
        with pytest.raises(RejectedRecordError):
            ratio(value)
