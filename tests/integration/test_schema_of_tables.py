"""Every table as PostgreSQL has it, against tables.toml: columns, indexes, keys, rules and references."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection, models

OWN_APPS = ("core", "persistence", "operations", "jobs", "trading_engine", "portfolio_manager")
TABLES = tomllib.loads(Path(__file__).with_name("tables.toml").read_text())
# Tables under the names that other systems have for them.
PROXIES = {
    "AccountTotals": "PortfolioSnapshot", "BacktestTrade": "Position", "PortfolioHistory": "PortfolioSnapshot",
    "PortfolioState": "AccountState",
}  # fmt: skip
TYPES = {
    "timestamp with time zone": "timestamptz", "double precision": "float8", "character varying": "varchar",
}  # fmt: skip
COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""
INDEXES = """
    SELECT pg_get_indexdef(indexrelid), indisunique FROM pg_index WHERE indrelid = %s::regclass AND NOT indisprimary
"""
REFERENCES = """
    SELECT a.attname, c.confrelid::regclass::text, c.confdeltype FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)
    WHERE c.conrelid = %s::regclass AND c.contype = 'f'
"""
RULES = (
    "SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'"
)
_INDEX = re.compile(r"USING (\w+) \((.*?)\)( NULLS NOT DISTINCT)?( WITH .*?)?(?: WHERE \((.*)\))?$")


def own_models(*, proxies: bool) -> list[type[models.Model]]:
    configs = [apps.get_app_config(label) for label in OWN_APPS]
    found = [model for config in configs for model in config.get_models(include_auto_created=True)]
    return [model for model in found if model._meta.proxy is proxies]


def ask(question: str, table: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(question, [table])
        return cursor.fetchall()


def listed(table: str, name: str, separator: str) -> set[str]:
    text = " ".join(TABLES[table].get(name, "").split())
    # Types may hold commas.
    return {part.strip() for part in re.split(rf"{separator}(?![^(]*\))", text) if part.strip()}


def column(name: str, kind: str, required: bool) -> str:
    for long, short in TYPES.items():
        kind = kind.replace(long, short)
    return f"{name} {kind}{'' if required else '?'}"


def index(definition: str) -> str:
    """An index as tables.toml writes it."""
    method, columns, no_nulls, _with, condition = _INDEX.search(definition).groups()
    names = re.sub(r"varchar_pattern_ops|[\",()]", "", columns).strip()
    told = "" if condition is None else " WHERE " + re.sub(r"::\w+|[()]", "", condition)
    return f"{names}{'' if method == 'btree' else ' ' + method}{told}{no_nulls or ''}"


def test_there_is_a_table_for_every_model_and_no_other() -> None:
    assert {model._meta.db_table for model in own_models(proxies=False)} == set(TABLES)


def test_what_other_systems_call_otherwise_is_there_under_their_names() -> None:
    found = {model.__name__: model._meta.concrete_model.__name__ for model in own_models(proxies=True)}

    assert found == PROXIES


@pytest.mark.parametrize("table", TABLES)
class TestTable:
    def test_has_these_columns_and_no_others(self, table) -> None:
        assert {column(*row) for row in ask(COLUMNS, table)} == listed(table, "columns", ",")

    def test_has_these_indexes_and_keys_and_no_others(self, table) -> None:
        found = ask(INDEXES, table)

        assert {index(definition) for definition, unique in found if not unique} == listed(table, "indexes", ";")
        assert {index(definition) for definition, unique in found if unique} == listed(table, "unique", ";")

    def test_has_these_rules_and_a_bound_on_every_number(self, table) -> None:
        rules = dict(ask(RULES, table))
        numbers = {name for name, kind, _ in ask(COLUMNS, table) if kind.startswith(("numeric", "double"))}
        bounded = {name for name in numbers if any(re.search(rf"\b{name}\b", text) for text in rules.values())}

        assert {name for name in rules if name.startswith("ck_")} == listed(table, "rules", " ")
        assert bounded == numbers

    def test_refers_to_these_rows_and_keeps_them(self, table) -> None:
        found = ask(REFERENCES, table)

        assert {f"{name} → {other}" for name, other, _ in found} == listed(table, "references", ",")
        # NO ACTION: what is referred to cannot be deleted; Django's own SET NULL and CASCADE come before it.
        assert {action for _, _, action in found} <= {"a"}
