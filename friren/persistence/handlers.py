"""
Handlers: how each kind of fact becomes rows. One per kind, whoever the writer is.

Facts that only insert share `insert`: a single INSERT … ON CONFLICT (id) DO NOTHING generated from
the model's fields. A kind with several rows registers a handler of its own, run in one transaction.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn
from uuid import UUID

from django.db import DatabaseError, connections, models, transaction

from friren.core.triggers import OTHER_ACCOUNT_SQLSTATE, PERIOD_CLOSED_SQLSTATE
from friren.errors import KeyReusedError, PeriodClosedError, RejectedRecordError
from friren.persistence.archived import archived_by_key, archived_digests
from friren.persistence.facts import Fact, FactSpec, spec_named
from friren.persistence.inserts import insert_row
from friren.persistence.receipts import Receipt, WriteOutcome

__all__ = [
    "BatchHandler",
    "Handler",
    "MissingRowError",
    "Prepare",
    "Verdict",
    "apply",
    "apply_all",
    "apply_within",
    "batch_handler_of",
    "handler_of",
    "insert",
    "maker_of",
    "one_by_batch",
    "one_commit",
    "prepare_of",
    "producer_of",
    "register_handler",
    "tables_before",
]

Handler = Callable[..., Receipt]
# What became of one fact of a batch: STORED or DUPLICATE, or why it was not stored.
Verdict = WriteOutcome | RejectedRecordError
BatchHandler = Callable[..., "list[Verdict]"]
Prepare = Callable[..., None]

_handlers: dict[str, Handler] = {}
_batch_handlers: dict[str, BatchHandler] = {}
_prepares: dict[str, Prepare] = {}
_tables_before: dict[str, tuple[type[models.Model], ...]] = {}
_makers: dict[type[models.Model], str] = {}

OPEN_TRANSACTION: Final = (
    "a logger was called inside an open transaction.atomic() block, whose rollback would undo a record "
    "already reported as stored; call it outside"
)
UNIQUE_VIOLATION: Final = "23505"
FOREIGN_KEY_VIOLATION: Final = "23503"
# Class 22 (data exception) and 23 (integrity violation) blame the data; all else is the database's own trouble.
DATA_SQLSTATES: Final = ("22", "23")


class MissingRowError(RejectedRecordError):
    """The row that a fact refers to is not stored; it may yet come by another way, then the fact can be stored."""


def register_handler(
    kind: str,
    handler: Handler,
    *,
    batch: BatchHandler | None = None,
    prepare: Prepare | None = None,
    after: Sequence[type[models.Model]] = (),
    makes: type[models.Model] | None = None,
) -> None:
    """
    Let `handler(fact, *, using)` store facts of `kind`, in a transaction that is opened for it.

    Args:
        batch: `batch(facts, *, using, producer)` stores many of them likewise, in order, and returns a verdict for
            each; without it they are stored one by one.
        prepare: `prepare(facts, *, using)` makes what their transaction will need, in commits of its own.
        after: of a kind without a table of its own: the tables whose rows it changes or refers to. With none,
            others build on it, and it is committed before them.
        makes: the table, no table of facts, whose rows it makes beside its own: what refers to those comes later.
    """
    _handlers[kind] = handler
    if batch is not None:
        _batch_handlers[kind] = batch
    if prepare is not None:
        _prepares[kind] = prepare
    _tables_before[kind] = tuple(after)
    if makes is not None:
        _makers[makes] = kind


def one_by_batch(batch: BatchHandler) -> Handler:
    """Return the handler of a single fact for a kind whose batch form says it all."""

    def store(fact: Fact, *, using: str) -> Receipt:
        (verdict,) = batch([fact], using=using, producer=None)
        if isinstance(verdict, Exception):
            raise verdict
        return Receipt(fact.id, verdict)

    return store


def handler_of(kind: str) -> Handler | None:
    """Return the handler of a kind with more than one row; None for a kind that only inserts."""
    return _handlers.get(kind)


def batch_handler_of(kind: str) -> BatchHandler | None:
    """Return the batch form of a kind's handler, if it has one."""
    return _batch_handlers.get(kind)


def prepare_of(kind: str) -> Prepare | None:
    """Return what makes the ground for facts of a kind, if it needs any."""
    return _prepares.get(kind)


def tables_before(kind: str) -> tuple[type[models.Model], ...]:
    """Return the tables whose rows a kind without a table of its own changes or refers to."""
    return _tables_before.get(kind, ())


def maker_of(model: type[models.Model]) -> str | None:
    """Return the kind of fact that makes the rows of a table beside its own, if there is one."""
    return _makers.get(model)


def apply(fact: Fact, *, using: str) -> Receipt:
    """
    Store `fact` in one commit of its own.

    Raises:
        RejectedRecordError: the database refuses the data; nothing was stored.
        DatabaseError: the database is in trouble.
        RuntimeError: called inside an open transaction, which could still take the record back.
    """
    if fact.kind in _handlers:
        return apply_all([fact], using=using)[0]
    _refuse_open_transaction(using)
    return insert(fact, using=using)


def apply_all(facts: Sequence[Fact], *, using: str) -> list[Receipt]:
    """Store several facts in one commit: all of them, or none when one raises. Errors as for `apply`."""
    with one_commit(using):
        return [apply_within(fact, using=using) for fact in facts]


@contextlib.contextmanager
def one_commit(using: str) -> Iterator[None]:
    """
    Open the transaction in which several rows are stored together.

    Foreign keys are checked at every statement: deferred, as Django makes them, they would fail the COMMIT,
    and nothing could say any more which row is at fault.
    """
    _refuse_open_transaction(using)
    with transaction.atomic(using=using, durable=True), connections[using].cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        yield


def apply_within(fact: Fact, *, using: str) -> Receipt:
    """Store `fact` within the caller's `one_commit`; its receipt holds once that commits."""
    return _handlers.get(fact.kind, insert)(fact, using=using)


def _refuse_open_transaction(using: str) -> None:
    if connections[using].in_atomic_block:
        raise RuntimeError(OPEN_TRANSACTION)


def producer_of(using: str) -> UUID | None:
    """Return the number of the engine whose connection `using` names; None for one of Django's own."""
    found: UUID | None = getattr(connections[using], "producer", None)
    return found


def insert(fact: Fact, *, using: str) -> Receipt:
    """
    Insert the row of `fact`, or find that it is there already.

    May run inside a transaction. A fact of another system is also found by venue and external id.

    Raises:
        KeyReusedError: the key is taken by other content.
        RejectedRecordError, PeriodClosedError: the database refuses the data.
    """
    spec = spec_named(fact.kind)
    connection = connections[using]
    # A refused statement spoils the transaction around it. Only a second key can be refused in the normal course.
    guarded = connection.in_atomic_block and "external_id" in fact.values
    try:
        with transaction.atomic(using=using) if guarded else contextlib.nullcontext():
            if insert_row(fact, connection=connection, using=using, producer=getattr(connection, "producer", None)):
                return Receipt(fact.id, WriteOutcome.STORED)
    except DatabaseError as exc:
        found = _stored_already(spec, fact, exc, using) if guarded or not connection.in_atomic_block else None
        if found is not None:
            return found
        _raise_refusal(spec, fact, exc)
    return _compare(spec, fact, {"id": fact.id}, using)


def _compare(spec: FactSpec, fact: Fact, key: Mapping[str, Any], using: str) -> Receipt:
    """Return the receipt of a duplicate, or say that the key was used for something else."""
    external_id = fact.values.get("external_id")
    columns = ("id", "digest", "external_id") if external_id else ("id", "digest")
    row = spec.model._default_manager.using(using).filter(**key).values(*columns).first() or _archived(
        spec, fact, key, using
    )
    if row and bytes(row["digest"]) == fact.digest:
        return Receipt(row["id"], WriteOutcome.DUPLICATE)
    by_other_system = external_id and row.get("external_id") == external_id
    name, value = ("external_id", external_id) if by_other_system else ("id", fact.id)
    raise KeyReusedError(name, value, f"a {spec.kind} with this key is already stored with other content")


def _archived(spec: FactSpec, fact: Fact, key: Mapping[str, Any], using: str) -> Mapping[str, Any]:
    """Return id and digest of a fact that is in the archive: its insert was passed over, and its table lacks it."""
    table = spec.model._meta.db_table
    if fact.values.get("external_id") and (found := archived_by_key(table, key, using)) is not None:
        return found
    known = archived_digests(table, [fact.id], using) if "id" in key else {}
    return {"id": fact.id, "digest": known[fact.id]} if known else {}


def _stored_already(spec: FactSpec, fact: Fact, exc: DatabaseError, using: str) -> Receipt | None:
    """Return the receipt of the row that a refused insert ran into, None if it ran into something else."""
    sqlstate, constraint = _diagnosis(exc)
    if not fact.values.get("external_id"):
        return None
    key = {"account_id": fact.values["account"]}
    key |= {name: fact.values.get(name, "") for name in ("venue", "external_id")}
    if sqlstate == UNIQUE_VIOLATION and constraint.endswith("_external"):
        return _compare(spec, fact, key, using)
    # A fact stored before the close, under another id, is still a duplicate.
    if sqlstate == PERIOD_CLOSED_SQLSTATE and (
        spec.model._default_manager.using(using).filter(**key).exists()
        or archived_by_key(spec.model._meta.db_table, key, using)
    ):
        return _compare(spec, fact, key, using)
    return None


def _raise_refusal(spec: FactSpec, fact: Fact, exc: DatabaseError) -> NoReturn:
    """Raise what the database said in our words; what is no fault of the data is raised as it is."""
    sqlstate, constraint = _diagnosis(exc)
    diag = getattr(exc.__cause__, "diag", None)
    if sqlstate == PERIOD_CLOSED_SQLSTATE:
        column = getattr(diag, "column_name", None) or ""
        raise PeriodClosedError(column, fact.values.get(column), getattr(diag, "message_primary", "")) from exc
    if sqlstate == OTHER_ACCOUNT_SQLSTATE:
        field = spec.field_of(getattr(diag, "column_name", None) or "")
        raise RejectedRecordError(field, fact.values.get(field), "belongs to another account") from exc
    # The last column is what tells one row from another: the keys of several columns begin with the account.
    named = re.search(r"Key \((?:.*, )?(\w+)\)=", getattr(diag, "message_detail", None) or "")
    field = spec.field_of(named.group(1) if named else "")
    if sqlstate == FOREIGN_KEY_VIOLATION:
        raise MissingRowError(field, fact.values.get(field), "refers to a row that is not stored") from exc
    if sqlstate == UNIQUE_VIOLATION:
        rule = f"another {spec.kind} is stored under the key {constraint}"
        raise KeyReusedError(field, fact.values.get(field), rule) from exc
    if sqlstate[:2] in DATA_SQLSTATES:
        raise RejectedRecordError("", None, f"the database refuses this {spec.kind}: {exc}") from exc
    raise exc


def _diagnosis(exc: DatabaseError) -> tuple[str, str]:
    """Return SQLSTATE and the name of the constraint of a database error, "" where there is none."""
    cause = exc.__cause__
    diag = getattr(cause, "diag", None)
    return getattr(cause, "sqlstate", None) or "", getattr(diag, "constraint_name", None) or ""
