"""Many moves of orders or trades at once: rows locked together, moves made in memory, events by COPY."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.db import DatabaseError, models, transaction

from friren.errors import RejectedRecordError
from friren.persistence.batches import apply_each
from friren.persistence.copy import copy_facts, is_refusal, key_reused, stored_digests
from friren.persistence.facts import Fact, spec_named
from friren.persistence.handlers import MissingRowError, Verdict
from friren.persistence.receipts import WriteOutcome
from friren.persistence.updates import update_rows
from trading_engine.archived_rows import archived_rows, refuse_change

__all__ = ["move_together"]


class _NotTogetherError(Exception):
    """An event was refused when it was stored, so the moves that were made after it may be wrong."""


def move_together(
    facts: Sequence[Fact],
    *,
    using: str,
    producer: UUID | None,
    model: type[models.Model],
    field: str,
    decide: Callable[..., dict[str, Any]],
    columns: Sequence[str],
) -> list[Verdict]:
    """
    Make the moves that events tell of, in their order, within the caller's `one_commit`; return a verdict for each.

    Args:
        model, field: whose rows move, and where the event names one.
        decide: `decide(row, fact, using=)` returns the columns that change, or raises RejectedRecordError.
        columns: those that can change.

    Raises:
        DatabaseError: the database is in trouble.
    """
    try:
        with transaction.atomic(using=using):
            return _Moves(facts, using, model, field).made(decide, columns, producer)
    except _NotTogetherError:
        pass
    except DatabaseError as exc:
        if not is_refusal(exc):
            raise
    return apply_each(facts, using=using)


class _Moves:
    def __init__(self, facts: Sequence[Fact], using: str, model: type[models.Model], field: str) -> None:
        self._facts, self._using, self._model, self._field = facts, using, model, field
        self._spec = spec_named(facts[0].kind)
        self._verdicts: dict[int, Verdict] = {}
        self._events: list[tuple[int, Fact]] = []

    def made(
        self, decide: Callable[..., dict[str, Any]], columns: Sequence[str], producer: UUID | None
    ) -> list[Verdict]:
        known = stored_digests(self._spec, [fact.id for fact in self._facts], self._using)
        rows = self._locked_rows()
        wanted = {fact.values.get(self._field) for fact in self._facts} - {None}
        archived = archived_rows(self._model, wanted - rows.keys(), self._using)
        changed: dict[Any, Any] = {}
        for place, fact in enumerate(self._facts):
            digest = known.get(fact.id)
            if digest is not None:
                same = digest == fact.digest
                self._verdicts[place] = WriteOutcome.DUPLICATE if same else key_reused(self._spec, fact)
                continue
            key = fact.values.get(self._field)
            row = rows.get(key) or archived.get(key)
            try:
                if row is None or row.account_id != fact.values.get("account"):
                    raise MissingRowError(self._field, key, "is not stored in this account")
                moved = decide(row, fact, using=self._using)
                if key in archived:
                    refuse_change(self._field, row.pk, moved)
            except RejectedRecordError as exc:
                self._verdicts[place] = exc
                continue
            if not moved:
                self._verdicts[place] = WriteOutcome.DUPLICATE
                continue
            known[fact.id] = fact.digest
            self._events.append((place, fact.with_values(from_status=row.status)))
            changed[row.pk] = row
            for name, value in moved.items():
                setattr(row, name, value)
        self._store(list(changed.values()), columns, producer)
        return [self._verdicts[place] for place in range(len(self._facts))]

    def _locked_rows(self) -> dict[Any, Any]:
        """Return the rows the events are about, locked in one order for all; foreign keys to them are left alone."""
        wanted = {fact.values.get(self._field) for fact in self._facts}
        rows = self._model._default_manager.using(self._using).select_for_update(no_key=True)
        return {row.pk: row for row in rows.filter(pk__in=wanted - {None}).order_by("pk")}

    def _store(self, rows: list[Any], columns: Sequence[str], producer: UUID | None) -> None:
        events = [event for _place, event in self._events]
        outcomes = copy_facts(self._spec, events, using=self._using, producer=producer) if events else []
        if any(outcome is not WriteOutcome.STORED for outcome in outcomes):
            raise _NotTogetherError
        self._verdicts |= {place: WriteOutcome.STORED for place, _event in self._events}
        update_rows(rows, columns, using=self._using)
