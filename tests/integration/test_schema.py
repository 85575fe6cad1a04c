"""What the database itself refuses, whoever asks: the last line behind the checks of the program."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import DatabaseError, connection, models, transaction

from friren.core.fields import BoundedDecimalField, ChoiceField, QuantityField, StatField
from friren.core.models import FactModel, SeriesModel
from friren.operations.models import AuditBlock
from friren.persistence.models import LossRecord
from tests.factories import factories

OWN_APPS = ("core", "persistence", "operations", "jobs", "trading_engine", "portfolio_manager")
MODELS = [model for label in OWN_APPS for model in apps.get_app_config(label).get_models()]
FACTS = [model for model in MODELS if issubclass(model, FactModel)]
SERIES = [model for model in MODELS if issubclass(model, SeriesModel)]
# By type of column, another value than the one it has.
OTHER = {
    "bigint": "coalesce({column}, 0) + 1",
    "integer": "coalesce({column}, 0) + 1",
    "smallint": "coalesce({column}, 0) + 1",
    "numeric": "coalesce({column}, 0) + 1",
    "double precision": "coalesce({column}, 0) + 1",
    "boolean": "NOT coalesce({column}, false)",
    "text": "coalesce({column}, '') || 'x'",
    "character varying": "left(md5(coalesce({column}, '')), 4)",
    "uuid": "gen_random_uuid()",
    "timestamp with time zone": "coalesce({column}, now()) + interval '1 second'",
    "date": "coalesce({column}, current_date) + 1",
    "jsonb": """'{{"other": true}}'""",
    "ARRAY": "ARRAY['other']",
    "bytea": r"'\x00'",
    "inet": "'192.0.2.1'",
}


def named(model: type[models.Model]) -> str:
    return model.__name__


def columns(model: type[models.Model]) -> dict[str, str]:
    """The columns of a table, with their types."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s",
            [model._meta.db_table],
        )
        return dict(cursor.fetchall())


def sqlstate(statement: str, *parameters: object) -> str:
    """Run a statement, take it back, and return the code of the error it ran into, "" for none."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
            transaction.set_rollback(True)
    except DatabaseError as exc:
        return exc.__cause__.sqlstate
    return ""


@pytest.fixture
def without_triggers() -> Iterator[None]:
    """No trigger fires, as on a replica; CHECKs stay."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("RESET session_replication_role")


def refused_numbers(field: models.Field) -> list[object]:
    infinite = [float("nan"), float("inf"), float("-inf")]
    if isinstance(field, StatField):
        return infinite
    if isinstance(field, BoundedDecimalField):
        step = Decimal(1).scaleb(-(field.decimal_places or 0))
        low, high = (field.minimum, field.maximum) if field.exclusive else (field.minimum - step, field.maximum + step)
        if isinstance(field, QuantityField):
            low = Decimal(0) if field.positive else -step
        return [Decimal("NaN"), low, high]
    if isinstance(field, models.PositiveIntegerField):
        return [-1]
    return []


def numeric_fields() -> list[tuple[type[models.Model], models.Field]]:
    kinds = (models.DecimalField, models.FloatField, models.PositiveIntegerField)
    return [(model, field) for model in MODELS for field in model._meta.concrete_fields if isinstance(field, kinds)]


def test_every_decimal_and_float_column_is_of_a_class_with_bounds() -> None:
    bare = [
        f"{model.__name__}.{field.name}"
        for model, field in numeric_fields()
        if not isinstance(field, BoundedDecimalField | StatField | models.PositiveIntegerField)
    ]

    assert bare == []


@pytest.mark.parametrize("model", sorted({model for model, _ in numeric_fields()}, key=named), ids=named)
def test_numeric_columns_refuse_nan_and_what_is_out_of_bounds(model, without_triggers) -> None:
    row = factories()[model].create()
    taken = []
    for _, field in (pair for pair in numeric_fields() if pair[0] is model):
        for number in refused_numbers(field):
            statement = f'UPDATE "{model._meta.db_table}" SET "{field.column}" = %s WHERE "{row._meta.pk.column}" = %s'
            # A violated CHECK, or a number wider than the column.
            if sqlstate(statement, number, row.pk) not in {"23514", "22003"}:
                taken.append((field.name, number))

    assert taken == []


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_columns_of_choices_refuse_what_is_not_on_the_list(model, without_triggers) -> None:
    row = factories()[model].create()
    choices = [field for field in model._meta.concrete_fields if isinstance(field, ChoiceField)]
    wrong = {field: ["?", *([] if field.blank else [""]), *(value.swapcase() for value in field.stored.values())]
             for field in choices}  # fmt: skip

    codes = {
        sqlstate(f'UPDATE "{model._meta.db_table}" SET "{field.column}" = %s WHERE "{row._meta.pk.column}" = %s',
                 value, row.pk)
        for field, values in wrong.items() for value in values
    }  # fmt: skip

    assert codes <= {"23514"}


@pytest.mark.parametrize("model", FACTS, ids=named)
class TestFacts:
    def test_have_their_triggers(self, model) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgenabled = 'O'",
                [model._meta.db_table],
            )
            found = {name.removeprefix("pgtrigger_").rsplit("_", 1)[0] for (name,) in cursor.fetchall()}

        assert found >= {"frozen", "no_delete", "no_truncate"}

    def test_stay_as_they_are_but_for_their_lifecycle(self, model) -> None:
        row = factories()[model].create()
        moving = {model._meta.get_field(name).column for name in model.lifecycle}
        changeable = set()
        for column, kind in columns(model).items():
            other = OTHER[kind].format(column=f'"{column}"')
            statement = f'UPDATE "{model._meta.db_table}" SET "{column}" = {other} WHERE id = %s'
            if sqlstate(statement, row.pk) != "P0001":
                changeable.add(column)

        assert changeable == moving

    def test_cannot_be_deleted(self, model) -> None:
        row = factories()[model].create()

        assert sqlstate(f'DELETE FROM "{model._meta.db_table}" WHERE id = %s', row.pk) == "P0001"
        assert model.objects.filter(pk=row.pk).exists()

    def test_cannot_be_truncated(self, model) -> None:
        factories()[model].create()

        assert sqlstate(f'TRUNCATE "{model._meta.db_table}" CASCADE') == "P0001"

    def test_are_numbered_by_the_one_sequence(self, model) -> None:
        first, second = (factories()[model].create() for _ in range(2))

        assert first.recorded_seq < second.recorded_seq
        assert first.created_at <= second.created_at


@pytest.mark.parametrize("model", [LossRecord, AuditBlock], ids=named)
def test_logs_that_are_no_facts_are_only_added_to(model) -> None:
    row = factories()[model].create()
    table = model._meta.db_table

    for column, kind in columns(model).items():
        other = OTHER[kind].format(column=f'"{column}"')
        assert sqlstate(f'UPDATE {table} SET "{column}" = {other} WHERE {row._meta.pk.column} = %s', row.pk) == "P0001"
    assert sqlstate(f"DELETE FROM {table}") == sqlstate(f"TRUNCATE {table} CASCADE") == "P0001"


@pytest.mark.parametrize("model", SERIES, ids=named)
class TestSeries:
    def test_are_partitioned_with_a_default_partition(self, model) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT relkind FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table])
            assert cursor.fetchone() == ("p",)
            cursor.execute(
                "SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
                "WHERE inhparent = %s::regclass AND pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT'",
                [model._meta.db_table],
            )
            assert cursor.fetchone() == (1,)

    def test_have_their_time_in_the_key_and_a_small_index_on_it(self, model) -> None:
        with connection.cursor() as cursor:
            found = connection.introspection.get_constraints(cursor, model._meta.db_table)

        (primary,) = [one["columns"] for one in found.values() if one["primary_key"]]
        assert primary == ["id", model.time_field]
        assert [model.time_field] in [one["columns"] for one in found.values() if one.get("type") == "brin"]

    def test_are_the_target_of_no_foreign_key(self, model) -> None:
        assert not [
            field
            for other in MODELS
            for field in other._meta.concrete_fields
            if isinstance(field, models.ForeignKey) and field.related_model is model
        ]


def test_foreign_keys_of_facts_keep_what_they_refer_to() -> None:
    unbound = [
        f"{model.__name__}.{field.name}"
        for model in FACTS
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey)
        and field.db_constraint
        and field.remote_field.on_delete is not models.PROTECT
    ]

    assert unbound == []


def test_text_in_arrays_is_bounded() -> None:
    arrays = [field for model in FACTS for field in model._meta.concrete_fields if isinstance(field, ArrayField)]

    assert arrays
    assert all(field.base_field.max_length for field in arrays)


@pytest.mark.parametrize("frozen", ["ticker", "venue", "currency", "multiplier"])
def test_what_books_are_computed_from_is_frozen_on_a_symbol(frozen) -> None:
    symbol = factories()[apps.get_model("trading_engine", "Symbol")].create()
    other = OTHER[columns(type(symbol))[frozen]].format(column=frozen)

    assert sqlstate(f"UPDATE trading_engine_symbol SET {frozen} = {other} WHERE id = %s", symbol.pk) == "P0001"
    assert sqlstate("UPDATE trading_engine_symbol SET name = 'Apple' WHERE id = %s", symbol.pk) == ""


@pytest.mark.parametrize("frozen", ["id", "name", "environment", "base_currency", "cost_basis", "position_mode"])
def test_what_books_are_computed_from_is_frozen_on_an_account(frozen) -> None:
    account = factories()[apps.get_model("core", "Account")].create()
    other = OTHER[columns(type(account))[frozen]].format(column=frozen)

    assert sqlstate(f"UPDATE core_account SET {frozen} = {other} WHERE id = %s", account.pk) == "P0001"
    assert sqlstate("UPDATE core_account SET is_active = false WHERE id = %s", account.pk) == ""
