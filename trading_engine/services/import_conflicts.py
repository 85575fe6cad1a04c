"""Facts that a file tells otherwise than they are stored: the stored ones stay, the others are kept as dead letters."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import F, ForeignKey
from django.utils import timezone

from friren.core.numbers import plain
from friren.errors import KeyReusedError
from friren.persistence.archived_reads import with_archive
from friren.persistence.choices import Shelf
from friren.persistence.codec import encode
from friren.persistence.facts import Fact, spec_named
from friren.persistence.models import DeadLetter

__all__ = ["Conflict", "differences", "keep_conflicts", "shown_value"]

# Made of the source's keys, which a bot that logged the same fact does not have.
LINKS: Final = frozenset({"order", "round_trip"})
# Enough to see what differs; the letter holds all of it.
SHOWN_LENGTH_MAX: Final = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Conflict:
    """A fact, and (as it is stored, as it is told) of each field that differs."""

    fact: Fact
    fields: Mapping[str, tuple[str, str]]

    def __str__(self) -> str:
        told = ", ".join(f"{name} is {stored}, and told as {new}" for name, (stored, new) in self.fields.items())
        return f"a {self.fact.kind} with this key is already stored with other content: {told}"


def differences(kind: str, facts: Sequence[Fact], *, using: str) -> list[dict[str, tuple[str, str]]]:
    """Return, for each fact that is stored, the fields in which it says something else than its row; {} for none."""
    spec = spec_named(kind)
    named = [name for name, field in spec.fields.items() if field.natural is not None]
    both = with_archive(spec.model._default_manager.using(using).select_related(*named))
    rows = {row.pk: row for row in both.filter(pk__in=[fact.id for fact in facts])}
    found = []
    for fact in facts:
        row, differing = rows[fact.id], {}
        for name, told in fact.values.items():
            field = spec.fields[name]
            if not field.digested:
                continue
            stored = _stored(row, name)
            if stored != told and not (stored is None and name in LINKS):
                differing[name] = (shown_value(stored), shown_value(told))
        found.append(differing)
    return found


def _stored(row: Any, name: str) -> Any:
    """Return what a row holds, in the form in which facts tell it."""
    field = row._meta.get_field(name)
    if isinstance(field, ForeignKey):
        if name == "symbol":
            return None if row.symbol is None else [row.symbol.ticker, row.symbol.venue]
        return getattr(row, field.attname)
    return getattr(row, name)


def shown_value(value: Any) -> str:
    """Return a value of a fact for a report."""
    if isinstance(value, Decimal):
        return plain(value)
    return "nothing" if value is None else str(value)[:SHOWN_LENGTH_MAX]


def keep_conflicts(found: Sequence[tuple[int, Conflict]], *, file: str, using: str) -> None:
    """
    Keep facts that disagree with what is stored, in the caller's transaction; each of them once.

    A letter that somebody dealt with stays so: the same file tells nothing new.

    Args:
        found: (line, conflict).
        file: where they stand.
    """
    if not found:
        return
    letters = DeadLetter.objects.using(using).filter(fact_id__in=[conflict.fact.id for _line, conflict in found])
    kept: dict[tuple[UUID | None, bytes], int] = {
        (fact, bytes(payload)): key for key, fact, payload in letters.values_list("id", "fact_id", "payload")
    }
    again, new = [], {}
    for line, conflict in found:
        fact = conflict.fact
        payload = encode(fact)
        if (key := kept.get((fact.id, payload))) is not None:
            again.append(key)
        else:
            new[fact.id, payload] = _letter(fact, payload, f"{conflict} ({file}, line {line})")
    letters = DeadLetter.objects.using(using)
    letters.filter(id__in=again).update(attempts=F("attempts") + 1, last_tried_at=timezone.now())
    letters.bulk_create(new.values())


def _letter(fact: Fact, payload: bytes, error: str) -> DeadLetter:
    return DeadLetter(
        fact_id=fact.id,
        kind=fact.kind,
        account_id=fact.values.get("account"),
        payload=payload,
        error_class=KeyReusedError.__name__,
        error=error.replace("\0", "\\x00")[:10_000],
        shelf=Shelf.DEAD,
        last_tried_at=timezone.now(),
    )
