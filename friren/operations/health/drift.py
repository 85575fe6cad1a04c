"""Are the tables of the database those of the models? Migrations say what was run, not what is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.apps import apps
from django.db import connection, models

from friren.operations.health.registry import Finding
from friren.operations.health.settings import SHOWN_MAX

__all__ = ["check_tables"]

_COLUMNS: Final = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relname = ANY (%s) AND c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)
      AND a.attnum > 0 AND NOT a.attisdropped
"""
# Django's word for a type, where PostgreSQL's own is another.
_WORDS: Final = {"varchar": "character varying", "serial": "integer", "bigserial": "bigint"}

Columns = dict[str, tuple[str, bool]]


def check_tables() -> Finding:
    """Compare the columns of every model, their types and whether they may be null, with those of its table."""
    # Not those that Django makes for many-to-many fields: migrations give them keys of another width than their models.
    stored = [model._meta for model in apps.get_models() if model._meta.managed and not model._meta.proxy]
    wanted = {meta.db_table: _columns_of(meta.concrete_fields) for meta in stored}
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [list(wanted)])
        found: dict[str, Columns] = {}
        for table, column, kind, required in cursor.fetchall():
            found.setdefault(table, {})[column] = (kind, required)
    told = [line for table, columns in wanted.items() for line in _differences(table, columns, found.get(table))]
    return Finding(
        ok=not told,
        message="; ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")
        or f"{len(wanted)} tables are those of the models",
        details={"differences": told[:SHOWN_MAX]},
    )


def _columns_of(fields: Iterable[models.Field[Any, Any]]) -> Columns:
    return {str(field.column): (_type_of(field), not field.null) for field in fields}


def _type_of(field: models.Field[Any, Any]) -> str:
    word, bracket, rest = str(field.db_type(connection)).partition("(")
    return (_WORDS.get(word, word) + bracket + rest).replace(", ", ",")


def _differences(table: str, wanted: Columns, found: Columns | None) -> list[str]:
    if found is None:
        return [f"table {table} is missing"]
    told = [f"{table}.{column} is missing" for column in wanted.keys() - found.keys()]
    told += [f"{table}.{column} belongs to no model" for column in found.keys() - wanted.keys()]
    for column in wanted.keys() & found.keys():
        (kind, required), (its_kind, its_required) = wanted[column], found[column]
        if kind != its_kind:
            told.append(f"{table}.{column} is of type {its_kind}, not {kind}")
        elif required != its_required:
            told.append(f"{table}.{column} {'may' if required else 'may not'} be null")
    return sorted(told)
