"""
Many facts of one kind at once.

The ordinary batch is clean: COPY straight into the table, row by row as it is made, so that the server works meanwhile.
A batch that the table refuses is asked about: what is stored already is left out, and what is still refused goes
through a temporary table, where the bad rows are found by questions to the whole set (see friren.persistence.staging).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

import psycopg
from django.db import DatabaseError, connections, transaction

from friren.core.triggers import PERIOD_CLOSED_SQLSTATE
from friren.errors import KeyReusedError, RejectedRecordError
from friren.persistence.aliases import database_of
from friren.persistence.archived import archived_digests
from friren.persistence.facts import Fact, FactSpec
from friren.persistence.handlers import DATA_SQLSTATES, Verdict, insert
from friren.persistence.layouts import layout_of, lines_of, natural_keys
from friren.persistence.meanwhile import a_little
from friren.persistence.receipts import WriteOutcome
from friren.persistence.tables import table_of

__all__ = ["copy_facts", "copy_lines", "is_refusal", "key_reused", "refusal_of", "stored_digests"]

# "cannot COPY FROM with row-level security": the way through a temporary table is open there.
FEATURE_NOT_SUPPORTED: Final = "0A000"
# Lines that are sent at once: tens of kilobytes, so that the server begins while the next ones are made.
LINES_PER_WRITE: Final = 64

# Kinds and databases whose last batch was in part there already: of the next one that is asked beforehand, since a
# COPY that is refused at its last row was in vain. A matter of time only, never of what is stored.
_told_again: set[tuple[str, str]] = set()
# Likewise those of whose last batch a part was refused: the next one goes through a temporary table at once.
_refused: set[tuple[str, str]] = set()


def copy_facts(spec: FactSpec, facts: Sequence[Fact], *, using: str, producer: UUID | None) -> list[Verdict]:
    """
    Store facts of one kind within the caller's `one_commit`; return a verdict for each, in order.

    Raises:
        DatabaseError: the database is in trouble.
    """
    hint = (database_of(using), spec.kind)
    hopeful = hint not in _refused
    tried = hopeful and hint not in _told_again
    if tried and _copied(spec, facts, using, producer):
        return [WriteOutcome.STORED] * len(facts)
    verdicts: dict[int, Verdict] = {}
    fresh = _without_known(spec, facts, verdicts, using)
    (_told_again.add if verdicts else _told_again.discard)(hint)
    again = hopeful and (bool(verdicts) or not tried)
    judged = _store(spec, [facts[index] for index in fresh], using, producer, hopeful=again)
    (_refused.add if any(isinstance(verdict, Exception) for verdict in judged) else _refused.discard)(hint)
    verdicts.update(zip(fresh, judged, strict=True))
    return [verdicts[index] for index in range(len(facts))]


def _copied(spec: FactSpec, facts: Sequence[Fact], using: str, producer: UUID | None) -> bool:
    """Return whether the table took all of them."""
    layout = layout_of(spec.kind)
    lines = lines_of(facts, layout, natural_keys(spec, facts, using=using), producer=producer)
    try:
        with transaction.atomic(using=using):
            taken = copy_lines(layout.table, layout.columns, lines, using=using) == len(facts)
            if not taken:
                # Some are in the archive, and were passed over without a word: it has to be asked which.
                transaction.set_rollback(True, using=using)
    except DatabaseError as exc:
        if not is_refusal(exc):
            raise
        return False
    return taken


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
    """Return the digests of those among `ids` that are stored, archived ones too."""
    table = spec.model._meta.db_table
    with connections[using].cursor() as cursor:
        # The name is the model's.
        cursor.execute(f'SELECT id, digest FROM "{table}" WHERE id = ANY(%s)', [list(ids)])  # noqa: S608
        known = {key: bytes(digest) for key, digest in cursor.fetchall()}
    missing = [key for key in ids if key not in known]
    return known | archived_digests(table, missing, using) if missing else known


def key_reused(spec: FactSpec, fact: Fact, field: str = "id") -> KeyReusedError:
    """Return what is said of a fact whose key is taken by other content."""
    value = fact.id if field == "id" else fact.values.get(field)
    return KeyReusedError(field, value, f"a {spec.kind} with this key is already stored with other content")


def _store(
    spec: FactSpec, facts: Sequence[Fact], using: str, producer: UUID | None, *, hopeful: bool
) -> Sequence[Verdict]:
    """Store facts none of whose ids is known. `hopeful`: there is reason to think that the table takes all of them."""
    if not facts or (hopeful and _copied(spec, facts, using, producer)):
        return [WriteOutcome.STORED] * len(facts)
    from friren.persistence.staging import store_through_staging

    judged = store_through_staging(spec, table_of(spec, using), facts, using, producer)
    return [_store_one(spec, fact, using) for fact in facts] if judged is None else judged


def refusal_of(spec: FactSpec, fact: Fact) -> RejectedRecordError | None:
    """Check the values of a fact once more, as when it was made; return what is wrong with the first that is."""
    try:
        for name, value in fact.values.items():
            spec.fields[name].check(name, value)
    except RejectedRecordError as exc:
        return exc
    return None


def _store_one(spec: FactSpec, fact: Fact, using: str) -> Verdict:
    """Store one fact by itself: the way that is left when a set could not be judged as a whole."""
    if (refusal := refusal_of(spec, fact)) is not None:
        return refusal
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


def copy_lines(table: str, columns: Sequence[str], lines: Iterable[str], *, using: str) -> int:
    """
    COPY lines into a table, each as it is made; return how many rows it took.

    Raises:
        DatabaseError: also for a line that UTF-8 does not have.
    """
    connection = connections[using]
    listed = ", ".join(f'"{column}"' for column in columns)
    # The errors of a COPY come past Django's own wrapping.
    with connection.cursor() as cursor, connection.wrap_database_errors:
        with cursor.copy(f'COPY "{table}" ({listed}) FROM STDIN') as copy:
            lines = iter(lines)
            while some := list(itertools.islice(lines, LINES_PER_WRITE)):
                some.append("")  # a line ends with a new line, the last one too
                try:
                    data = "\n".join(some).encode()
                except UnicodeEncodeError as exc:
                    raise psycopg.DataError(f"a lone surrogate: {exc.reason}") from exc
                copy.write(data)
                a_little()
        return int(cursor.rowcount)
