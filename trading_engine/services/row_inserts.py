"""Rows of tables that hold no facts, as an export tells them: inserted where they are not there, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, models

from trading_engine.data.transfer.registry import is_seeded
from trading_engine.data.transfer.tables import KEPT_NUMBERS, Column, Table

__all__ = ["fill_in", "insert_rows"]


def insert_rows(table: Table, rows: Sequence[Sequence[Any]], *, using: str) -> int:
    """
    Insert rows, told by the columns of the table, and return how many were new.

    Raises:
        DatabaseError: a row breaks a rule of the table, or the database is in trouble.
    """
    connection = connections[using]
    name = connection.ops.quote_name
    listed = ", ".join(name(column) for column in [*(column.name for column in table.columns), *table.filled])
    marks = ", ".join([*(f"%s::{column.field.rel_db_type(connection)}" for column in table.columns),
                       *("%s" for _column in table.filled)])  # fmt: skip
    # Names and types come from the model.
    statement = f"INSERT INTO {name(table.table)} ({listed}) "
    if _has_key(table.model):
        statement += f"VALUES ({marks}) ON CONFLICT DO NOTHING"
    else:
        same = " AND ".join(
            f"t.{name(column.name)} IS NOT DISTINCT FROM v.{name(column.name)}"
            for column in table.columns
            if column.kind != "jsonb" or column.target is not None
        )
        statement += (
            f"SELECT {listed} FROM (VALUES ({marks})) v ({listed}) "  # noqa: S608
            f"WHERE NOT EXISTS (SELECT FROM {name(table.table)} t WHERE {same})"
        )
    if is_seeded(table.model):
        _make_way(table, rows, using)
    count = 0
    with connection.cursor() as cursor:
        for row in rows:
            told = [_prepared(column, value, using) for column, value in zip(table.columns, row, strict=True)]
            cursor.execute(statement, [*told, *table.filled.values()])
            count += cursor.rowcount
        if count and table.model in KEPT_NUMBERS:
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence(%s, 'id'), (SELECT max(id) FROM {name(table.table)}))",  # noqa: S608
                [table.table],
            )
    return count


def _make_way(table: Table, rows: Sequence[Sequence[Any]], using: str) -> None:
    """Remove the rows that an empty database has of its own, where others are told and nobody has changed them."""
    columns = [column.field for column in table.columns]
    place = next(place for place, field in enumerate(columns) if field.primary_key)
    told = {row[place]: row for row in rows}
    for stored in table.model._default_manager.using(using).filter(pk__in=list(told)):
        blank = table.model(pk=stored.pk)
        same = all(
            getattr(stored, field.attname) == value for field, value in zip(columns, told[stored.pk], strict=True)
        )
        untouched = all(
            getattr(stored, field.attname) == getattr(blank, field.attname)
            for field in columns
            if not getattr(field, "auto_now", False)
        )
        if untouched and not same:
            stored.delete()


def fill_in(table: Table, column: Column, values: Sequence[tuple[Any, Any]], *, using: str) -> None:
    """Fill in one column of rows, by (key, value); what is filled in already stays."""
    if not values:
        return
    connection = connections[using]
    name = connection.ops.quote_name
    key: Any = table.model._meta.pk
    kinds = key.rel_db_type(connection), column.field.rel_db_type(connection)
    # Of a row that was just stored the database has noted when; what has moved since keeps its own time.
    clock = getattr(column.field, "auto_now", False)
    is_open = f"t.{name(column.name)} {'> v.value' if clock else 'IS NULL'}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {name(table.table)} t SET {name(column.name)} = v.value "  # noqa: S608
            f"FROM unnest(%s::{kinds[0]}[], %s::{kinds[1]}[]) v (key, value) "
            f"WHERE t.{name(key.column)} = v.key AND {is_open}",
            [[key for key, _value in values], [value for _key, value in values]],
        )


def _prepared(column: Column, value: Any, using: str) -> Any:
    if column.field.get_internal_type() == "JSONField" and column.target is None:
        return column.field.get_db_prep_save(value, connections[using])
    return value


def _has_key(model: type[models.Model]) -> bool:
    """Return whether a row that stands there already is refused by a key of its own."""
    own_key = not isinstance(model._meta.pk, models.BigAutoField)
    unique = any(isinstance(rule, models.UniqueConstraint) for rule in model._meta.constraints)
    return own_key or unique or any(field.unique and not field.primary_key for field in model._meta.concrete_fields)
