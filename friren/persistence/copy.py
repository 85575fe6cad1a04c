"""
Many facts of one kind at once.

The ordinary batch is clean: COPY straight into the table. A batch that the table refuses goes through a
temporary table, where what is bad is found by questions to the whole set (see friren.persistence.staging).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
from django.db import DatabaseError, connections, transaction
from psycopg.types.json import Jsonb

from friren.core.triggers import PERIOD_CLOSED_SQLSTATE
from friren.errors import KeyReusedError, RejectedRecordError
from friren.persistence.facts import Fact, FactSpec, FieldSpec
from friren.persistence.handlers import DATA_SQLSTATES, Verdict, insert
from friren.persistence.receipts import WriteOutcome
from friren.persistence.tables import Table, table_of

__all__ = ["copy_facts", "copy_rows", "is_refusal", "key_reused", "refusal_of", "resolve_keys", "stored_digests"]

# "cannot COPY FROM with row-level security": the way through a temporary table is open there.
FEATURE_NOT_SUPPORTED: Final = "0A000"

_encode_json: Final = msgspec.json.Encoder().encode


def copy_facts(spec: FactSpec, facts: Sequence[Fact], *, using: str, producer: UUID | None) -> list[Verdict]:
    """
    Store facts of one kind within the caller's `one_commit`; return a verdict for each, in order.

    Raises:
        DatabaseError: the database is in trouble.
    """
    verdicts: dict[int, Verdict] = {}
    fresh = _without_known(spec, facts, verdicts, using)
    if fresh:
        verdicts.update(_store(spec, [(index, facts[index]) for index in fresh], using, producer))
    return [verdicts[index] for index in range(len(facts))]


def _without_known(spec: FactSpec, facts: Sequence[Fact], verdicts: dict[int, Verdict], using: str) -> list[int]:
    """Judge the facts whose id is stored, or stands earlier in the batch; return the places of the others."""
    known = stored_digests(spec, [fact.id for fact in facts], using)
    fresh: list[int] = []
    for index, fact in enumerate(facts):
        digest = known.get(fact.id)
        if digest is None:
            known[fact.id] = fact.digest
            fresh.append(index)
        else:
            verdicts[index] = WriteOutcome.DUPLICATE if digest == fact.digest else key_reused(spec, fact)
    return fresh


def stored_digests(spec: FactSpec, ids: Sequence[UUID], using: str) -> dict[UUID, bytes]:
    """Return the digests of those among `ids` that are stored."""
    with connections[using].cursor() as cursor:
        # The name is the model's.
        cursor.execute(f'SELECT id, digest FROM "{spec.model._meta.db_table}" WHERE id = ANY(%s)', [list(ids)])  # noqa: S608
        return {key: bytes(digest) for key, digest in cursor.fetchall()}


def key_reused(spec: FactSpec, fact: Fact, field: str = "id") -> KeyReusedError:
    """Return what is said of a fact whose key is taken by other content."""
    value = fact.id if field == "id" else fact.values.get(field)
    return KeyReusedError(field, value, f"a {spec.kind} with this key is already stored with other content")


def _store(
    spec: FactSpec, facts: list[tuple[int, Fact]], using: str, producer: UUID | None
) -> Iterable[tuple[int, Verdict]]:
    table = table_of(spec, using)
    rows = rows_of(table, [fact for _index, fact in facts], using=using, producer=producer)
    try:
        with transaction.atomic(using=using):
            copy_rows(table.name, table.columns, table.oids, rows, using=using)
    except DatabaseError as exc:
        if not is_refusal(exc):
            raise
    else:
        return [(index, WriteOutcome.STORED) for index, _fact in facts]
    from friren.persistence.staging import store_through_staging

    # A value that has no binary form keeps the whole set from being sent: look for such first.
    unfit = {index: refusal for index, fact in facts if (refusal := refusal_of(spec, fact)) is not None}
    fit = [(row, entry) for row, entry in zip(rows, facts, strict=True) if entry[0] not in unfit]
    left = [fact for _row, (_index, fact) in fit]
    judged = store_through_staging(spec, table, left, [row for row, _entry in fit], using=using)
    if judged is None:
        judged = [_store_one(fact, using) for fact in left]
    return [*unfit.items(), *zip((index for _row, (index, _fact) in fit), judged, strict=True)]


def refusal_of(spec: FactSpec, fact: Fact) -> RejectedRecordError | None:
    """Check the values of a fact once more, as when it was made; return what is wrong with the first that is."""
    try:
        for name, value in fact.values.items():
            spec.fields[name].check(name, value)
    except RejectedRecordError as exc:
        return exc
    return None


def _store_one(fact: Fact, using: str) -> Verdict:
    """Store one fact by itself: the way that is left when a set could not be judged as a whole."""
    try:
        with transaction.atomic(using=using):
            return insert(fact, using=using).outcome
    except RejectedRecordError as exc:
        return exc
    except DatabaseError as exc:
        if not is_refusal(exc):
            raise
        return RejectedRecordError("", None, f"the database refuses this {fact.kind}: {exc}")


def is_refusal(exc: BaseException) -> bool:
    """Return whether the database refused data, and is not in trouble itself."""
    cause = exc.__cause__ if isinstance(exc, DatabaseError) else exc
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate is None:
        return isinstance(cause, psycopg.DataError)  # refused on this side: a NUL, say
    return sqlstate[:2] in DATA_SQLSTATES or sqlstate in {PERIOD_CLOSED_SQLSTATE, FEATURE_NOT_SUPPORTED}


def copy_rows(name: str, columns: Sequence[str], oids: Sequence[int], rows: Iterable[Any], *, using: str) -> None:
    """COPY rows into a table, in binary. Raises DatabaseError."""
    connection = connections[using]
    listed = ", ".join(f'"{column}"' for column in columns)
    statement = f'COPY "{name}" ({listed}) FROM STDIN (FORMAT BINARY)'
    # The errors of a COPY come past Django's own wrapping.
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.set_types(oids)
        write = copy.write_row
        for row in rows:
            write(row)


def rows_of(table: Table, facts: Sequence[Fact], *, using: str, producer: UUID | None) -> list[list[Any]]:
    """Return the rows of facts, by the columns of their table; symbols and such are looked up."""
    start = 3 if table.has_producer else 2
    defaults = [None] * start + [_column_form(field, field.default) for field in table.fields]
    places = {field.name: (start + place, _form_of(field)) for place, field in enumerate(table.fields)}
    naturals = resolve_keys(table.fields, facts, using=using)
    rows = []
    for fact in facts:
        row = defaults.copy()
        row[0], row[1] = fact.id, fact.digest
        if table.has_producer:
            row[2] = producer
        for name, value in fact.values.items():
            place, form = places[name]
            if name in naturals:
                row[place] = naturals[name][_hashable(value)]
            else:
                row[place] = form(value) if form is not None else value
        rows.append(row)
    return rows


def resolve_keys(fields: Iterable[FieldSpec], facts: Sequence[Fact], *, using: str) -> dict[str, dict[Any, Any]]:
    """Return the primary keys of the rows that facts name by natural key, by field; unknown rows are made."""
    found: dict[str, dict[Any, Any]] = {}
    for field in fields:
        if field.natural is None:
            continue
        keys = {_hashable(fact.values[field.name]): fact for fact in facts if fact.values.get(field.name) is not None}
        # In one order for all, so that two who make the same symbols do not wait for one another in a circle.
        found[field.name] = {
            key: field.natural.resolve(keys[key].values[field.name], keys[key], using=using)
            for key in sorted(keys, key=repr)
        }
    return found


def _hashable(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key


def _form_of(field: FieldSpec) -> Callable[[Any], Any] | None:
    return _jsonb if field.is_json else None


def _jsonb(value: Any) -> Jsonb:
    return Jsonb(value, dumps=_encode_json)


def _column_form(field: FieldSpec, value: Any) -> Any:
    return _jsonb(value) if field.is_json and value is not None else value
