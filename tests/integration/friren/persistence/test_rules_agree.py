"""The program's verdict on a table's rules is PostgreSQL's, NULL by NULL."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from friren.core.fields import BoundedDecimalField, ChoiceField
from friren.persistence.rules import holds

OWN_APPS = ("core", "trading_engine", "portfolio_manager")
RULES = [
    pytest.param(model, constraint, id=constraint.name)
    for label in OWN_APPS
    for model in apps.get_app_config(label).get_models()
    for constraint in model._meta.constraints
    if isinstance(constraint, models.CheckConstraint)
]
NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
# The values at which a rule may turn.
EDGES = {
    models.DecimalField: [Decimal(text) for text in ("-1", "-0.000000000000000001", "0", "0.5", "1", "1.01", "2")],
    models.DateTimeField: [NOON - dt.timedelta(microseconds=1), NOON, NOON + dt.timedelta(days=1)],
    models.DateField: [NOON.date(), NOON.date() + dt.timedelta(days=1)],
    models.BooleanField: [True, False],
    models.UUIDField: [UUID(int=1), UUID(int=2)],
    models.CharField: ["", "x"],
    models.TextField: ["", "x"],
    models.FloatField: [-1.0, 0.0, 0.5],
    models.IntegerField: [-1, 0, 1, 2],
}


def edges(field: models.Field) -> st.SearchStrategy:
    """Values of a field at which rules turn, NULL among them even where the column has none."""
    if isinstance(field, models.ForeignKey):
        return edges(field.target_field)
    if isinstance(field, ChoiceField):
        return st.sampled_from([None, "", *field.stored.values()])
    if isinstance(field, models.JSONField | ArrayField | models.BinaryField | models.GenericIPAddressField):
        return st.none()
    listed = next(values for kind, values in EDGES.items() if isinstance(field, kind))
    return st.sampled_from([None, *listed])


def named_in(condition: models.Q) -> set[str]:
    """The fields that a rule speaks of."""
    names = set()
    for child in condition.children:
        if isinstance(child, models.Q):
            names |= named_in(child)
        else:
            names |= {child[0].partition("__")[0], *([child[1].name] if isinstance(child[1], models.F) else [])}
    return names


def verdict_of_postgresql(model, definition: str, values: dict[str, object]) -> bool | None:
    """Evaluate the stored definition of a CHECK for a row that stands in no table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0",
            [model._meta.db_table],
        )
        types = dict(cursor.fetchall())
        fields = [field for field in model._meta.concrete_fields if field.name in values]
        row = ", ".join(f'%s::{types[field.column]} AS "{field.column}"' for field in fields)
        cursor.execute(f"SELECT {definition} FROM (SELECT {row}) t", [values[field.name] for field in fields])
        return cursor.fetchone()[0]


@pytest.mark.parametrize(("model", "constraint"), RULES)
def test_verdicts_agree(model, constraint) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s AND conrelid = %s::regclass",
            [constraint.name, model._meta.db_table],
        )
        definition = cursor.fetchone()[0].removeprefix("CHECK ").replace("%", "%%")
    drawn = {name: edges(model._meta.get_field(name)) for name in named_in(constraint.condition)}

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.fixed_dictionaries(drawn))
    def agree(values) -> None:
        ours = holds(constraint.condition, values) is not False

        # A CHECK passes unless it is false.
        assert ours is (verdict_of_postgresql(model, definition, values) is not False)

    agree()


def test_no_rule_is_beyond_the_program() -> None:
    assert RULES
    decimals = [field for model in {rule.values[0] for rule in RULES} for field in model._meta.concrete_fields]
    assert any(isinstance(field, BoundedDecimalField) for field in decimals)
    for rule in RULES:
        model, constraint = rule.values
        nothing = {field.name: None for field in model._meta.concrete_fields}

        assert holds(constraint.condition, nothing) in {True, False, None}
