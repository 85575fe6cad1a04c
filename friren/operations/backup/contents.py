"""
What a database holds, so that a restored one can be compared with it: rows and digest of every table, and the
definitions of what stands around them.

A digest is the sum over the rows of the first 64 bits of SHA-256 over the row's text: whatever the order of the rows
it is the same, and a row that is missing, doubled or changed in any column changes it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import psycopg
from psycopg import sql

from friren.operations.backup.catalog import CATALOG, MIGRATIONS, ROLES, SEQUENCES, TABLES, UNCOMPARED

__all__ = ["Contents", "Table", "differences", "read_contents", "sequence_values"]

_DIGEST: Final = sql.SQL(
    "SELECT count(*), coalesce(sum(('x' || encode(substr(hash, 1, 8), 'hex'))::bit(64)::bigint), 0)::text FROM "
    "(SELECT sha256(convert_to(friren_row::text, 'UTF8')) AS hash FROM {} AS friren_row) AS hashed"
)
# PostgreSQL writes the casts and brackets of an expression in another way once it has read its own writing.
_CASTS: Final = re.compile(
    r"::(\"[^\"]+\"|[a-z_][a-z0-9_.]*)( varying| precision| with(out)? time zone)?(\([0-9, ]+\))?(\[\])*"
)
_BRACKETS: Final = re.compile(r"[()\s]+")
# Functions are kept as they were written.
_VERBATIM: Final = frozenset({"functions", "grants"})


class Table(msgspec.Struct, frozen=True):
    """Rows of a table and their digest."""

    rows: int
    digest: str


class Contents(msgspec.Struct, frozen=True):
    """
    What a database held in one snapshot.

    Attributes:
        tables: by name with its schema; a partitioned table with all its partitions.
        sequences: the next value, before and after the dump: sequences know no snapshot.
        migrations: as `app.name`.
        objects: by kind and name, a digest of each definition.
        roles: that own something or were granted something.
        skipped: what is in the database and is not compared, in words.
    """

    tables: dict[str, Table]
    sequences: dict[str, tuple[int, int]]
    migrations: list[str]
    objects: dict[str, dict[str, str]]
    roles: list[str]
    skipped: list[str]


def read_contents(session: psycopg.Connection[Any]) -> Contents:
    """Return what the database of `session` holds, as its transaction sees it."""
    now = sequence_values(session)
    return Contents(
        tables=_tables(session),
        sequences={name: (value, value) for name, value in now.items()},
        migrations=_migrations(session),
        objects={kind: _objects(session, kind, query) for kind, query in CATALOG.items()},
        roles=sorted(name for (name,) in session.execute(ROLES)),
        skipped=[f"{what}: {count}" for what, count in session.execute(UNCOMPARED) if count],
    )


def sequence_values(session: psycopg.Connection[Any]) -> dict[str, int]:
    """Return the last value of every sequence, less one where it was not handed out yet."""
    found = {}
    for schema, name in session.execute(SEQUENCES).fetchall():
        query = sql.SQL("SELECT last_value - (NOT is_called)::int FROM {}").format(sql.Identifier(schema, name))
        (found[f"{schema}.{name}"],) = session.execute(query).fetchone() or (0,)
    return found


def differences(expected: Contents, found: Contents, *, grants: bool = True) -> list[str]:
    """
    Return in words where a restored database differs from the one that was dumped; none means that it is equal.

    Args:
        grants: whether owners and privileges were restored too.
    """
    told = _of_tables(expected.tables, found.tables)
    for name, (low, high) in expected.sequences.items():
        if name not in found.sequences:
            told.append(f"sequence {name} is missing")
        elif not min(low, high) <= found.sequences[name][0] <= max(low, high):
            told.append(f"sequence {name} stands at {found.sequences[name][0]}, not between {low} and {high}")
    if expected.migrations != found.migrations:
        odd = sorted(set(expected.migrations) ^ set(found.migrations)) or ["their order"]
        told.append(f"migrations differ: {', '.join(odd)}")
    for kind, objects in expected.objects.items():
        if kind != "grants" or grants:
            told += _of_objects(kind, objects, found.objects.get(kind, {}))
    return told


def _of_tables(expected: Mapping[str, Table], found: Mapping[str, Table]) -> list[str]:
    told = []
    for name, table in expected.items():
        restored = found.get(name)
        if restored is None:
            told.append(f"table {name} is missing")
        elif restored.rows != table.rows:
            told.append(f"table {name} has {restored.rows} rows, not {table.rows}")
        elif restored.digest != table.digest:
            told.append(f"table {name} has as many rows, of other content")
    return told + [f"table {name} is new" for name in found if name not in expected]


def _of_objects(kind: str, expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    missing = [f"{kind}: {name} is missing" for name in expected if name not in found]
    changed = [f"{kind}: {name} differs" for name, digest in expected.items() if found.get(name, digest) != digest]
    return missing + changed + [f"{kind}: {name} is new" for name in found if name not in expected]


def _tables(session: psycopg.Connection[Any]) -> dict[str, Table]:
    found = {}
    for schema, name in session.execute(TABLES).fetchall():
        rows, digest = session.execute(_DIGEST.format(sql.Identifier(schema, name))).fetchone() or (0, "0")
        found[f"{schema}.{name}"] = Table(rows, digest)
    return found


def _migrations(session: psycopg.Connection[Any]) -> list[str]:
    if session.execute("SELECT to_regclass('public.django_migrations')").fetchone() == (None,):
        return []
    # Here and not there: each database sorts by a collation of its own.
    return sorted(name for (name,) in session.execute(MIGRATIONS))


def _objects(session: psycopg.Connection[Any], kind: str, query: str) -> dict[str, str]:
    found = {}
    for name, definition in session.execute(query).fetchall():
        text = definition or ""
        if kind not in _VERBATIM:
            text = _BRACKETS.sub("", _CASTS.sub("", text))
        found[name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found
