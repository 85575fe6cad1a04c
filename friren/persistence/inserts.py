"""The INSERT of a fact, generated from its model: one statement per kind, prepared once per connection."""

from __future__ import annotations

import functools
from typing import Any
from uuid import UUID

import psycopg
from django.db import DataError

from friren.persistence.facts import Fact
from friren.persistence.layouts import layout_of
from friren.persistence.prepared import Statement, run_statement

__all__ = ["insert_of", "insert_row"]


def insert_row(fact: Fact, *, connection: Any, using: str, producer: UUID | None) -> bool:
    """
    Insert the row of `fact`; return False when its id is taken already.

    Args:
        connection: of Django, which `using` names.
        producer: the writer, kept with the row.

    Raises:
        DatabaseError: the database refuses the row, or is in trouble.
    """
    statement, row = insert_of(fact, using=using, producer=producer)
    return run_statement(connection, statement, row) > 0


def insert_of(fact: Fact, *, using: str, producer: UUID | None) -> tuple[Statement, list[bytes | None]]:
    """Return the statement by which `insert_row` stores a fact, and its parameters. Raises DataError as it does."""
    layout = layout_of(fact.kind)
    row = list(layout.blank)
    row[0], row[1] = fact.id.hex.encode(), fact.digest
    if producer is not None and layout.has_producer:
        row[2] = producer.hex.encode()
    places = layout.places
    for name, value in fact.values.items():
        place, form, natural = places[name]
        if value is None:
            row[place] = None
            continue
        known = value if natural is None else natural.resolve(value, fact, using=using)
        try:
            row[place] = form(known).encode()
        except (ValueError, TypeError, AttributeError) as exc:
            # As if psycopg had found it when it was to be sent: the write path judges by its errors.
            raise DataError(f"{name}: {exc}") from psycopg.DataError(str(exc))
    return _statement_of(fact.kind), row


@functools.cache
def _statement_of(kind: str) -> Statement:
    layout = layout_of(kind)
    names = ", ".join(f'"{column}"' for column in layout.columns)
    marks = ", ".join(f"${number}" for number in range(1, len(layout.columns) + 1))
    # Names come from the models, never from a caller.
    sql = (
        f'INSERT INTO "{layout.table}" ({names}) VALUES ({marks}) '  # noqa: S608
        "ON CONFLICT (id) DO NOTHING RETURNING id"
    )
    return Statement(sql.encode(), layout.formats)
