"""Columns: what they say of themselves to the database, to migrations and to people."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, models

from friren.core.choices import Environment
from friren.core.fields import (
    BoundedDecimalField,
    ChoiceField,
    LeverageField,
    MoneyField,
    PriceField,
    QuantityField,
    RatioField,
    ScoreField,
    StatField,
)
from friren.errors import RejectedRecordError

FIELDS = [
    (MoneyField(), '-100000000000000000000 < "x" AND "x" < 100000000000000000000', "more than -1"),
    (PriceField(), '-100000000000000000000 < "x" AND "x" < 100000000000000000000', "more than -1"),
    (QuantityField(), '0 <= "x" AND "x" < 100000000000000000000', "0 or more"),
    (QuantityField(positive=True), '0 < "x" AND "x" < 100000000000000000000', "more than 0"),
    (RatioField(), '0 <= "x" AND "x" <= 1', "between 0 and 1"),
    (ScoreField(), '-1 <= "x" AND "x" <= 1', "between -1 and 1"),
    (LeverageField(), '1 <= "x" AND "x" <= 99999', "between 1 and 99999"),
    (
        BoundedDecimalField(max_digits=5, decimal_places=2, minimum=0, maximum=100),
        '0 <= "x" AND "x" <= 100',
        "between 0 and 100",
    ),
]  # fmt: skip


def named(field: models.Field) -> models.Field:
    field.set_attributes_from_name("x")
    return field


@pytest.mark.parametrize(("field", "check", "rule"), FIELDS)
def test_a_number_tells_the_database_both_its_bounds(field, check, rule) -> None:
    assert named(field).db_check(connection) == check
    assert field.rule.startswith(rule)


def test_a_statistic_tells_the_database_that_it_is_finite() -> None:
    assert named(StatField()).db_check(connection) == "'-Infinity' < \"x\" AND \"x\" < 'Infinity'"


@pytest.mark.parametrize("field", [field for field, _, _ in FIELDS] + [StatField(null=True)])
def test_a_field_is_rebuilt_from_a_migration_as_it_was(field) -> None:
    _, path, args, kwargs = named(field).deconstruct()

    again = named(type(field)(*args, **kwargs))

    assert path == f"friren.core.fields.{type(field).__name__}"
    assert again.deconstruct() == field.deconstruct()
    assert again.db_check(connection) == field.db_check(connection)


def test_a_choice_tells_the_database_its_list() -> None:
    field = named(ChoiceField(max_length=10, choices=Environment))
    blank = named(ChoiceField(max_length=10, choices=[("it's", "x")], blank=True))

    assert field.db_check(connection) == "\"x\" IN ('LIVE', 'PAPER', 'BACKTEST')"
    assert blank.db_check(connection) == "\"x\" IN ('it''s', '')"


def test_a_choice_that_changes_its_list_changes_the_column() -> None:
    # As Django compares them to decide whether a migration alters the table.
    unlike_the_column = set(models.CharField.non_db_attrs) - set(ChoiceField.non_db_attrs)

    assert unlike_the_column == {"choices", "blank"}


def test_a_choice_without_choices_fails_the_check() -> None:
    assert "friren.E001" in [message.id for message in named(ChoiceField(max_length=5)).check()]


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), Decimal("1E+20"), Decimal("-1E+20"), 0.1])
def test_money_refuses_what_the_column_would_bend(value) -> None:
    with pytest.raises(ValidationError):
        named(MoneyField()).clean(value, None)


def test_money_refuses_a_nineteenth_decimal_instead_of_rounding_it() -> None:
    with pytest.raises(RejectedRecordError) as caught:
        named(MoneyField()).get_db_prep_save(Decimal("0.1234567890123456789"), connection)

    assert caught.value.field == "x"
    assert named(MoneyField()).get_db_prep_save(Decimal("0.1000000000000000000"), connection) is not None


def test_a_measurement_takes_a_float() -> None:
    assert named(RatioField()).clean(0.25, None) == Decimal("0.25")
