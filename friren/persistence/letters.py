"""Records of a journal on their way: facts, or the dead letters they become."""

from __future__ import annotations

import contextlib
from uuid import UUID

import msgspec
from django.utils import timezone

from friren.errors import FrirenError
from friren.persistence.choices import Shelf
from friren.persistence.codec import RejectedFill, UnreadableRecordError, decode
from friren.persistence.copy import refusal_of
from friren.persistence.facts import Fact, fact_kinds, spec_named
from friren.persistence.groups import parts_of
from friren.persistence.journal import Damage, Record
from friren.persistence.models import DeadLetter

__all__ = ["Letter", "dead_letter", "letter_of"]


class Letter(msgspec.Struct, frozen=True, gc=False):
    """
    One entry of a journal.

    Attributes:
        seq, last_seq: its number; a stretch of damage has several.
        payload: its bytes.
        fact: what they say, or else:
        error: why they say nothing that could be stored.
    """

    seq: int
    last_seq: int
    payload: bytes
    fact: Fact | None
    error: Exception | None

    @property
    def count(self) -> int:
        """How many records it stands for."""
        return self.last_seq - self.seq + 1


def letter_of(entry: Record | Damage) -> Letter:
    """Read an entry of a journal. Never raises: what cannot be read says why."""
    if isinstance(entry, Damage):
        which = f"record {entry.seq}" if entry.seq == entry.last_seq else f"records {entry.seq} to {entry.last_seq}"
        lost = UnreadableRecordError(f"{which} of the journal can no longer be read")
        return Letter(entry.seq, entry.last_seq, entry.payload, None, lost)
    fact: Fact | None = None
    error: Exception | None = None
    try:
        fact = decode(entry.payload)
        fact.digest  # noqa: B018 - worked out now, because a value without a plain form has none
    except Exception as exc:  # noqa: BLE001 - whatever it is, one record must not stop those behind it
        error = (fact and fact.kind in fact_kinds() and refusal_of(spec_named(fact.kind), fact)) or exc
        fact = None
    return Letter(entry.seq, entry.seq, entry.payload, fact, error)


def dead_letter(producer: UUID, letter: Letter, error: Exception) -> DeadLetter:
    """Return the row that keeps a record which could not be stored, and why."""
    refused_fill = isinstance(error, RejectedFill)
    kind, fact_id, account = _who(letter)
    return DeadLetter(
        producer=producer,
        seq=letter.seq,
        fact_id=fact_id,
        kind=_plain(kind, 50),
        account_id=account,
        payload=letter.payload,
        error_class=error.error_class[:100] if isinstance(error, RejectedFill) else type(error).__name__,
        error=_plain(error.error if isinstance(error, RejectedFill) else _said(error), 10_000),
        shelf=Shelf.REJECTED if refused_fill else Shelf.DEAD,
        last_tried_at=timezone.now(),
    )


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, FrirenError) else f"{type(error).__name__}: {error}"


def _who(letter: Letter) -> tuple[str, UUID | None, UUID | None]:
    """Return kind, id and account of a record, as far as they can be made out."""
    fact = letter.fact
    if fact is not None:
        account = parts_of(fact)[0].values.get("account")
        return fact.kind, fact.id, account if isinstance(account, UUID) else None
    if isinstance(letter.error, RejectedFill):
        said = letter.error.said
        account = said.get("account") if isinstance(said, dict) else None
        with contextlib.suppress(ValueError):
            return letter.error.kind, letter.error.id, UUID(account) if isinstance(account, str) else None
        return letter.error.kind, letter.error.id, None
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
        found = msgspec.json.decode(letter.payload, type=_Who)
        return found.kind, found.id, None
    return "", None, None


class _Who(msgspec.Struct):
    kind: str = ""
    id: UUID | None = None


def _plain(text: str, length: int) -> str:
    """Return text that PostgreSQL takes: no NUL, no lone surrogate."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")[:length]
