"""What PostgreSQL itself says of a fact table: the rules it will hold rows to."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Final

from django.db import connections, models

from friren.persistence.facts import FactSpec, FieldSpec

__all__ = ["ForeignKey", "Rule", "Table", "UniqueKey", "table_of"]

_COLUMNS: Final = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef
"""
_CHECKS: Final = """
    SELECT conname, pg_get_expr(conbin, conrelid), (SELECT array_agg(attname::text) FROM pg_attribute
        WHERE attrelid = conrelid AND attnum = ANY(conkey))
    FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c' ORDER BY conname
"""
_KEYS: Final = """
    SELECT c.relname, pg_get_expr(i.indpred, i.indrelid), i.indnullsnotdistinct,
        (SELECT array_agg(a.attname::text ORDER BY k.place)
            FROM unnest(i.indkey::int[]) WITH ORDINALITY AS k(number, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = %s::regclass AND i.indisunique AND NOT i.indisprimary AND i.indexprs IS NULL ORDER BY c.relname
"""
# As friren.core.triggers.period_open writes it.
_CLOSED: Final = """
    SELECT prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = %s::regclass AND t.tgname LIKE '%%period_open%%'
"""
_PERIOD_COLUMN: Final = re.compile(r"NEW\.(\w+) < closed")


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """A CHECK: SQL that no row may make false, and what to say of one that does."""

    expression: str
    field: str
    words: str


@dataclasses.dataclass(frozen=True, slots=True)
class UniqueKey:
    """Columns no two rows may share, among the rows for which `condition` holds."""

    name: str
    columns: tuple[str, ...]
    condition: str
    nulls_equal: bool


@dataclasses.dataclass(frozen=True, slots=True)
class ForeignKey:
    """A column that names a row of another table."""

    field: str
    column: str
    table: str
    key: str


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """
    A fact table.

    Attributes:
        fields: the fact's fields.
        required: columns that must not be null.
        period_column: the time that must not lie in closed books; "" when the table has no such rule.
    """

    name: str
    fields: tuple[FieldSpec, ...]
    required: tuple[str, ...]
    rules: tuple[Rule, ...]
    unique_keys: tuple[UniqueKey, ...]
    foreign_keys: tuple[ForeignKey, ...]
    period_column: str


_tables: dict[tuple[str, str], Table] = {}


def table_of(spec: FactSpec, using: str) -> Table:
    """Return the table of a kind of fact, read from the catalogue once per process and database."""
    found = _tables.get((using, spec.kind))
    if found is None:
        found = _tables[using, spec.kind] = _read(spec, using)
    return found


def _read(spec: FactSpec, using: str) -> Table:
    name = spec.model._meta.db_table
    fields = tuple(spec.fields.values())
    with connections[using].cursor() as cursor:
        rows = []
        for question in (_COLUMNS, _CHECKS, _KEYS, _CLOSED):
            cursor.execute(question, [f'"{name}"'])
            rows.append(cursor.fetchall())
    required, found_checks, keys, closed = rows
    filled = {"id", "digest", *(field.column for field in fields)}
    named = _PERIOD_COLUMN.search(closed[0][0]) if closed else None
    return Table(
        name=name,
        fields=fields,
        required=tuple(column for (column,) in required if column in filled),
        rules=tuple(_rule(spec, *row) for row in found_checks),
        unique_keys=tuple(
            UniqueKey(index, tuple(among), condition or "true", nulls)
            for index, condition, nulls, among in keys
            if "id" not in among  # which is unique by itself, and is asked about anyway
        ),
        foreign_keys=tuple(_foreign_keys(spec)),
        period_column=named[1] if named else "",
    )


def _rule(spec: FactSpec, name: str, expression: str, among: list[str] | None) -> Rule:
    """Return a CHECK with the words the model has for it."""
    for constraint in spec.model._meta.constraints:
        if constraint.name == name:
            return Rule(expression, constraint.violation_error_code or "", str(constraint.violation_error_message))
    field = next((field.name for field in spec.fields.values() if among == [field.column]), "")
    words = getattr(spec.model._meta.get_field(field), "rule", "") if field else ""
    return Rule(expression, field, f"must be {words}" if words else f"breaks the rule {name}")


def _foreign_keys(spec: FactSpec) -> list[ForeignKey]:
    found = []
    for field in spec.model._meta.concrete_fields:
        constrained = getattr(field, "db_constraint", False)
        if isinstance(field, models.ForeignKey) and constrained and field.name in spec.fields:
            target: Any = field.related_model
            key = str(field.target_field.column)
            found.append(ForeignKey(field.name, str(field.column), target._meta.db_table, key))
    return found
