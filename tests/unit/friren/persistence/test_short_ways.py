"""The short ways through checker and rules say what the long ones say."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from friren.errors import RejectedRecordError
from friren.persistence import checks, quick_checks
from friren.persistence.facts import fact_kinds, spec_named
from friren.persistence.rules import check_rules
from tests.unit.friren.persistence.fact_values import stored, values_of
from trading_engine.models import Trade


class Text(str):
    """Text of another type, as the members of TextChoices are."""

    __slots__ = ()


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.decimals(allow_nan=False, allow_infinity=False, places=18),
    st.text(),
    st.text().map(Text),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.dictionaries(st.text() | st.integers(), st.floats() | st.text() | st.integers() | st.none(), max_size=3),
    st.sampled_from(
        ["buy", "BUY", "Buy", "\x00", "\ud800", "ß", Decimal("-0"), Decimal("sNaN"), Decimal("1E+30"), -0.0]
    ),
)
trade = {name: Trade._meta.get_field(name) for name in ("quantity", "price", "confidence_score", "action", "venue")}


def _pair(name):
    field = trade.get(name)
    if name in {"quantity", "price"}:
        return (
            quick_checks.decimal_check(low=field.minimum, high=field.maximum, allows=field.allows, rule=field.rule),
            lambda f, v: checks.check_decimal(f, v, allows=field.allows, rule=field.rule),
        )
    if name == "confidence_score":
        told = {"places": 4, "allows": field.allows, "rule": field.rule}
        return (
            quick_checks.measure_check(low=field.minimum, high=field.maximum, **told),
            lambda f, v: checks.check_measure(f, v, **told),
        )
    if name == "action":
        told = {"stored": field.stored, "blank": False}
        return quick_checks.choice_check(**told), lambda f, v: checks.check_choice(f, v, **told)
    if name == "venue":
        return quick_checks.text_check(length=5, blank=True), lambda f, v: checks.check_text(f, v, length=5)
    if name == "timestamp":
        return quick_checks.time_check, checks.check_time
    return quick_checks.json_check(kind=dict), lambda f, v: checks.check_json(f, v, kind=dict)


def _outcome(check, value):
    try:
        found = check("field", value)
    except RejectedRecordError as exc:
        return "refused", str(exc)
    return type(found), found, str(found), (math.copysign(1, found) if isinstance(found, float) else None)


@pytest.mark.parametrize("name", [*trade, "timestamp", "shap_values"])
@settings(max_examples=400, deadline=None)
@given(value=anything)
def test_a_short_way_says_what_the_long_one_says(name, value) -> None:
    quick, long = _pair(name)
    assert _outcome(quick, value) == _outcome(long, value)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_compiled_rules_refuse_what_the_rules_refuse(data) -> None:
    spec = spec_named(data.draw(st.sampled_from(fact_kinds())))
    values = stored(spec, data.draw(values_of(spec.kind)))
    key = data.draw(st.uuids() | st.sampled_from([values.get("corrects")]))
    complete = {name: values.get(name, field.default) for name, field in spec.fields.items()}
    assert _refusal(check_rules, spec.model, {**complete, "id": key}) == _refusal(spec.check_rules, values, key)


def _refusal(check, *arguments):
    try:
        check(*arguments)
    except RejectedRecordError as exc:
        return exc.field, exc.rule
    return None


def test_rules_see_the_id() -> None:
    spec, key = spec_named("trade"), spec_named("trade").model._meta.pk.get_default()
    assert _refusal(spec.check_rules, {"symbol": ["A", ""], "corrects": key}, key) == (
        "corrects",
        "a trade cannot correct itself",
    )


def test_a_time_in_another_zone_is_stored_in_utc() -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    assert quick_checks.time_check("t", dt.datetime(2026, 1, 1, 2, tzinfo=zone)) == dt.datetime(
        2026, 1, 1, tzinfo=dt.UTC
    )
