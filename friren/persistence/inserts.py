"""The INSERT of a fact, generated from its model: one statement per kind, prepared once per connection."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any
from uuid import UUID

from friren.persistence.facts import Fact, NaturalKey, spec_named
from friren.persistence.prepared import Statement, run_statement
from friren.persistence.wire import BINARY, Encoder, encoder_of

__all__ = ["insert_of", "insert_row"]


@dataclasses.dataclass(frozen=True, slots=True)
class _Insert:
    """
    The statement of a kind.

    Attributes:
        blank: a row whose every field has its default.
        places: where a field stands in a row, what encodes its value, and the natural key it may be told by.
    """

    statement: Statement
    has_producer: bool
    blank: tuple[bytes | None, ...]
    places: dict[str, tuple[int, Encoder, NaturalKey | None]]


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
    """Return the statement by which `insert_row` stores a fact, and its parameters."""
    insert = _insert_of(fact.kind)
    row = list(insert.blank)
    row[0], row[1] = fact.id.bytes, fact.digest
    if producer is not None and insert.has_producer:
        row[2] = producer.bytes
    places = insert.places
    for name, value in fact.values.items():
        place, encode, natural = places[name]
        if natural is not None and value is not None:
            value = natural.resolve(value, fact, using=using)  # noqa: PLW2901 - the same row by its key
        row[place] = None if value is None else encode(value)
    return insert.statement, row


@functools.cache
def _insert_of(kind: str) -> _Insert:
    spec = spec_named(kind)
    has_producer = any(field.name == "producer" for field in spec.model._meta.concrete_fields)
    columns = ["id", "digest", *(["producer"] if has_producer else [])]
    formats = [BINARY] * len(columns)
    blank: list[bytes | None] = [None] * len(columns)
    places = {}
    for field in spec.fields.values():
        form, encode = encoder_of(spec.model._meta.get_field(field.name))  # type: ignore[arg-type]  # a concrete one
        places[field.name] = (len(columns), encode, field.natural)
        columns.append(field.column)
        formats.append(form)
        blank.append(None if field.default is None else encode(field.default))
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    # Names come from the models, never from a caller.
    sql = (
        f'INSERT INTO "{spec.model._meta.db_table}" ({names}) VALUES ({marks}) '  # noqa: S608
        "ON CONFLICT (id) DO NOTHING RETURNING id"
    )
    statement = Statement(f"friren_insert_{kind}".encode(), sql.encode(), tuple(formats))
    return _Insert(statement, has_producer, tuple(blank), places)
