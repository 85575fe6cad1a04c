"""Dealing with records that could not be stored: look, try again, give up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from friren.core.choices import AuditAction
from friren.errors import ConfigurationError
from friren.persistence import settings
from friren.persistence.audit import record_operation
from friren.persistence.batches import apply_batch, is_foundation, prepare
from friren.persistence.choices import Resolution
from friren.persistence.facts import Fact
from friren.persistence.handlers import one_commit
from friren.persistence.journal import Record
from friren.persistence.letters import letter_of
from friren.persistence.models import DeadLetter
from friren.persistence.receipts import WriteOutcome

__all__ = ["Retried", "chosen", "drop", "open_letters", "retry", "told"]


class Retried(msgspec.Struct, frozen=True):
    """What became of dead letters that were tried again. Those stored, or found stored, are dealt with."""

    stored: int = 0
    duplicates: int = 0
    failed: int = 0


def open_letters(*, shelf: str | None = None, using: str = "default") -> QuerySet[DeadLetter]:
    """Return the dead letters nobody has dealt with, in the order in which they were written."""
    letters = DeadLetter.objects.using(using).filter(resolved_at__isnull=True)
    return (letters.filter(shelf=shelf) if shelf else letters).order_by("producer", "seq", "id")


def told(letter: DeadLetter) -> dict[str, Any]:
    """Return everything there is to say of one dead letter; its bytes as text, what is no text escaped."""
    names = [field.attname for field in DeadLetter._meta.concrete_fields if field.name != "payload"]
    return {name: getattr(letter, name) for name in names} | {
        "payload": bytes(letter.payload).decode("utf-8", "backslashreplace")
    }


def retry(letters: QuerySet[DeadLetter], *, using: str = "default") -> Retried:
    """
    Try to store dead letters again, those of one journal in their order.

    Raises:
        DatabaseError: the database is in trouble; what was stored so far is stored.
    """
    total = Retried()
    ids = list(letters.values_list("id", flat=True))
    for start in range(0, len(ids), settings.DRAIN_BATCH_ROWS):
        batch = list(letters.filter(id__in=ids[start : start + settings.DRAIN_BATCH_ROWS]))
        # Accounts first, in a commit of their own: what is recorded in them is prepared with them.
        for part in (True, False):
            tried = [(letter, *_read(letter)) for letter in batch]
            some = [entry for entry in tried if (entry[1] is not None and is_foundation(entry[1])) is part]
            done = _retry_batch(some, using)
            total = Retried(total.stored + done.stored, total.duplicates + done.duplicates, total.failed + done.failed)
    return total


def _read(letter: DeadLetter) -> tuple[Fact | None, Exception | None]:
    found = letter_of(Record(letter.seq or 0, bytes(letter.payload)))
    return found.fact, found.error


def _retry_batch(tried: Sequence[tuple[DeadLetter, Fact | None, Exception | None]], using: str) -> Retried:
    stored = duplicates = failed = 0
    by_producer: dict[UUID | None, list[tuple[DeadLetter, Fact]]] = {}
    for letter, fact, error in tried:
        if fact is None:
            failed += 1
            _note_failure(letter, error or ValueError("unreadable"), using)
        else:
            by_producer.setdefault(letter.producer, []).append((letter, fact))
    for producer, entries in by_producer.items():
        facts = [fact for _letter, fact in entries]
        prepare(facts, using=using)
        stored_ids: list[int] = []
        with one_commit(using):
            for (letter, _fact), verdict in zip(
                entries, apply_batch(facts, using=using, producer=producer), strict=True
            ):
                if isinstance(verdict, Exception):
                    failed += 1
                    _note_failure(letter, verdict, using)
                else:
                    stored += verdict is WriteOutcome.STORED
                    duplicates += verdict is WriteOutcome.DUPLICATE
                    stored_ids.append(letter.id)
                    _resolve(DeadLetter.objects.using(using).filter(id=letter.id), Resolution.STORED)
            _note(Resolution.STORED, stored_ids, using)
    return Retried(stored, duplicates, failed)


def _note_failure(letter: DeadLetter, error: Exception, using: str) -> None:
    said = str(error).replace("\0", "\\x00")[:10_000]
    DeadLetter.objects.using(using).filter(id=letter.id).update(
        attempts=F("attempts") + 1, last_tried_at=timezone.now(), error_class=type(error).__name__, error=said
    )


def drop(letters: QuerySet[DeadLetter], *, by: Any = None) -> int:
    """Give dead letters up, on purpose; their rows stay. Return how many. `by`: the user who decided it."""
    with transaction.atomic(using=letters.db):
        ids = list(letters.select_for_update().values_list("id", flat=True))
        dropped = _resolve(DeadLetter.objects.using(letters.db).filter(id__in=ids), Resolution.DROPPED, by=by)
        _note(Resolution.DROPPED, ids, letters.db)
    return dropped


def _note(resolution: str, ids: Sequence[int], using: str) -> None:
    if ids:
        record_operation(
            AuditAction.STATUS_CHANGE, source="dead_letters", model_label=DeadLetter._meta.label,
            object_pk=str(ids[0]) if len(ids) == 1 else "", after={"resolution": resolution, "ids": list(ids)},
            using=using,
        )  # fmt: skip


def _resolve(letters: QuerySet[DeadLetter], resolution: str, *, by: Any = None) -> int:
    now = timezone.now()
    tried = {"last_tried_at": now} if resolution == Resolution.STORED else {}
    return letters.order_by().update(resolved_at=now, resolution=resolution, resolved_by=by, **tried)


def chosen(ids: Sequence[int], *, everything: bool, shelf: str | None, using: str = "default") -> QuerySet[DeadLetter]:
    """
    Return the open dead letters of `ids`, or all of them.

    Raises:
        ConfigurationError: one of them is not there, or was dealt with already.
    """
    letters = open_letters(shelf=shelf, using=using)
    if everything:
        return letters
    missing = set(ids) - set(letters.filter(id__in=ids).values_list("id", flat=True))
    if missing:
        listed = ", ".join(map(str, sorted(missing)))
        raise ConfigurationError(f"no open dead letter {listed}: `dead_letters list` names them")
    return letters.filter(id__in=ids)
