"""A sealed database whose rows may be forged: no CHECK, no unique key and no trigger is in a superuser's way."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from django.apps import apps

from friren.core.models import Account, FactModel
from friren.operations import audit
from friren.operations.audit import chain
from friren.operations.audit.layout import Layout, layouts
from friren.operations.models import AuditBlock
from tests.factories import factories
from trading_engine.models import Symbol

__all__ = ["Fact", "Sealed", "facts", "keep", "lay_bare", "multiply", "sealed_database"]

BLOCKS = AuditBlock._meta.db_table
REFERENCES = (Symbol._meta.db_table, Account._meta.db_table)
# That no event tells of, by table.
FIRST_STATUS = {"trading_engine_trade": {"status": "'filled'"}, "trading_engine_order": {"status": "'pending'"}}
# Small, so that a few rows are many blocks.
BLOCK_ROWS = 7

_UNIQUE = """
    SELECT format('DROP INDEX %s', indexrelid::regclass) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = 'public'::regnamespace AND indisunique AND NOT indisprimary
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
_CONSTRAINTS = """
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'u', 'f') AND conparentid = 0 AND conislocal
"""


@dataclasses.dataclass(frozen=True)
class Fact:
    """One sealed row."""

    table: str
    id: UUID
    seq: int


@dataclasses.dataclass
class Sealed:
    """
    A database with seals, and copies of its rows as they were.

    Attributes:
        session: a superuser's, on whom no trigger fires.
        head: the newest block.
        states: names of the copies, oldest first; the last is what was sealed in the end.
    """

    session: psycopg.Connection
    head: audit.Expectation
    states: Sequence[str]
    end: int

    def ask(self, statement: str, *parameters: Any) -> list[Any]:
        found = self.session.execute(statement, parameters or None)
        return found.fetchall() if found.description else []

    def restore(self, state: str = "") -> None:
        """Put back what was there, "" for how it was in the end."""
        for table in tables():
            copy = f"{state or self.states[-1]}.{table}"
            self.session.execute(f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {copy}")


def tables() -> list[str]:
    return [layout.table for layout in layouts()] + [BLOCKS, *REFERENCES]


def facts(sealed: Sealed, where: str = "true") -> list[Fact]:
    """The sealed rows of all fact tables, in their order."""
    found = [
        Fact(layout.table, key, seq)
        for layout in layouts()
        for key, seq in sealed.ask(
            f"SELECT id, recorded_seq FROM {layout.table} WHERE recorded_seq <= {sealed.end} AND {where}"
        )
    ]
    return sorted(found, key=lambda fact: fact.seq)


def sealed_database(session: psycopg.Connection, *, rows: int, seals: int, chance: random.Random) -> Sealed:
    """Fill the database that Django is connected to with facts of every kind, sealed in turns, and keep copies."""
    for model in apps.get_models():
        if issubclass(model, FactModel):
            factories()[model].create_batch(2)
    lay_bare(session)
    own, chain.BLOCK_ROWS_MAX = chain.BLOCK_ROWS_MAX, BLOCK_ROWS
    try:
        states = []
        for number in range(seals):
            multiply(session, rows // seals, chance)
            audit.seal()
            states.append(keep(session, f"kept_{number}"))
    finally:
        chain.BLOCK_ROWS_MAX = own
    head = audit.head_of()
    end = session.execute(f"SELECT max(last_seq) FROM {BLOCKS}").fetchone()[0]
    return Sealed(session, audit.Expectation(head["seq"], head["hash"]), states, end)


def lay_bare(session: psycopg.Connection) -> None:
    """Take away what would refuse a forged row."""
    session.execute("SET session_replication_role = replica")
    for question in (_CONSTRAINTS, _UNIQUE):
        for (statement,) in session.execute(question).fetchall():
            session.execute(statement)


def multiply(session: psycopg.Connection, rows: int, chance: random.Random) -> None:
    """Add copies of the rows of every table, until there are about so many more; some numbers are left out."""
    every = layouts()
    for layout in chance.sample(every, len(every)):
        # A copy has no events.
        own = {"id": "gen_random_uuid()"} | FIRST_STATUS.get(layout.table, {})
        columns = [name for name in all_columns(session, layout) if name != "recorded_seq"]
        listed = ", ".join(f'"{name}"' for name in columns)
        values = ", ".join(own.get(name, f't."{name}"') for name in columns)
        session.execute(
            f"INSERT INTO {layout.table} ({listed}) SELECT {values} FROM {layout.table} t, generate_series(1, 1000) "
            f"LIMIT {max(1, rows // len(every))}"
        )
        session.execute(f"SELECT nextval('friren_recorded_seq') FROM generate_series(1, {chance.randint(1, 5)})")


def all_columns(session: psycopg.Connection, layout: Layout) -> list[str]:
    found = session.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        [layout.table],
    )
    return [name for (name,) in found.fetchall()]


def keep(session: psycopg.Connection, name: str) -> str:
    """Copy the rows that can be forged into a schema of their own; return its name."""
    session.execute(f"CREATE SCHEMA {name}")
    for table in tables():
        session.execute(f"CREATE TABLE {name}.{table} AS TABLE {table}")
    return name
