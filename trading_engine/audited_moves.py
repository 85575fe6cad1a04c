"""Moves of rows that have no event table: each writes an entry of the audit log in its transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import DatabaseError, models, transaction

from friren.core.models import AuditLog
from friren.errors import RejectedRecordError
from friren.persistence.audit import change_entry, record_change
from friren.persistence.batches import apply_each
from friren.persistence.copy import copy_facts, is_refusal
from friren.persistence.facts import Fact, spec_of
from friren.persistence.handlers import MissingRowError, Verdict
from friren.persistence.receipts import Receipt, WriteOutcome
from friren.persistence.updates import update_rows
from trading_engine.archived_rows import archived_rows, refuse_change

__all__ = ["AuditedMoves"]


class AuditedMoves:
    """
    How records of one kind move rows of one model. The id of a record is that of the row that it moves.

    A move is its own proof: the row tells whether it was made, so a record that comes twice is a DUPLICATE.

    Args:
        model: whose rows move.
        name: what callers call such a row.
        columns: the fields that can change.
        decide: `decide(row, fact, seen)` returns the attributes that change, none when it is so already, or raises
            RejectedRecordError.
        look: `look(facts, using)` returns what `decide` has to know beside the row, asked for once.
    """

    def __init__(
        self,
        model: type[models.Model],
        name: str,
        *,
        columns: Sequence[str],
        decide: Callable[[Any, Fact, Any], Mapping[str, Any]],
        look: Callable[[Sequence[Fact], str], Any] = lambda _facts, _using: None,
    ) -> None:
        self._model, self._name, self._columns = model, name, list(columns)
        self._decide, self._look = decide, look

    def one(self, fact: Fact, *, using: str) -> Receipt:
        """Make one move within the caller's `one_commit`."""
        rows, archived = self._rows([fact], using)
        moved = self._decided(rows, archived, fact, self._look([fact], using))
        return self.write(rows[fact.id], fact, moved, using)

    def write(self, row: Any, fact: Fact, moved: Mapping[str, Any], using: str) -> Receipt:
        """Change a locked row, and say so in the audit log."""
        if not moved:
            return Receipt(fact.id, WriteOutcome.DUPLICATE)
        self._model._default_manager.using(using).filter(pk=row.pk).update(**moved)
        record_change(row, **_change(row, moved), using=using)
        return Receipt(fact.id, WriteOutcome.STORED)

    def many(self, facts: Sequence[Fact], *, using: str, producer: UUID | None) -> list[Verdict]:
        """
        Make moves in their order within the caller's `one_commit`; return a verdict for each.

        Raises:
            DatabaseError: the database is in trouble.
        """
        try:
            with transaction.atomic(using=using):
                return self._together(facts, using, producer)
        except DatabaseError as exc:
            if not is_refusal(exc):
                raise
        return apply_each(facts, using=using)

    def locked(self, facts: Sequence[Fact], using: str) -> dict[Any, Any]:
        """Return the rows that move, locked in one order for all; foreign keys to them are left alone."""
        rows = self._model._default_manager.using(using).select_for_update(no_key=True)
        return {row.pk: row for row in rows.filter(pk__in={fact.id for fact in facts}).order_by("pk")}

    def _rows(self, facts: Sequence[Fact], using: str) -> tuple[dict[Any, Any], frozenset[Any]]:
        """Return the rows that move, and which of them are in the archive, where nothing changes."""
        rows = self.locked(facts, using)
        archived = archived_rows(self._model, {fact.id for fact in facts} - rows.keys(), using)
        return rows | archived, frozenset(archived)

    def _decided(self, rows: Mapping[Any, Any], archived: Collection[Any], fact: Fact, seen: Any) -> Mapping[str, Any]:
        moved = self._decide(self._judged(rows, fact), fact, seen)
        if fact.id in archived:
            refuse_change(self._name, fact.id, moved)
        return moved

    def _judged(self, rows: Mapping[Any, Any], fact: Fact) -> Any:
        row, account = rows.get(fact.id), fact.values.get("account")
        if row is None or (account is not None and row.account_id != account):
            rule = "is not stored" if account is None else "is not stored in this account"
            raise MissingRowError(self._name, fact.id, rule)
        return row

    def _together(self, facts: Sequence[Fact], using: str, producer: UUID | None) -> list[Verdict]:
        (rows, archived), seen = self._rows(facts, using), self._look(facts, using)
        verdicts: list[Verdict] = []
        entries: list[Fact] = []
        changed: dict[Any, Any] = {}
        for fact in facts:
            try:
                moved = self._decided(rows, archived, fact, seen)
            except RejectedRecordError as exc:
                verdicts.append(exc)
                continue
            verdicts.append(WriteOutcome.STORED if moved else WriteOutcome.DUPLICATE)
            if moved:
                row = rows[fact.id]
                entries.append(change_entry(row, **_change(row, moved)))
                changed[row.pk] = row
                for name, value in moved.items():
                    setattr(row, name, value)
        if entries:
            copy_facts(spec_of(AuditLog), entries, using=using, producer=producer)
            update_rows(list(changed.values()), self._columns, using=using)
        return verdicts


def _change(row: Any, moved: Mapping[str, Any]) -> dict[str, Any]:
    before = {name: getattr(row, name) for name in moved}
    return {"before": before, "after": moved, "account": getattr(row, "account_id", None)}
