"""A batch of facts of any kinds, each stored or told why not; parents before children, each kind in its order."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from django.db import DatabaseError, models, transaction

from friren.errors import RejectedRecordError
from friren.persistence.copy import copy_facts, is_refusal, key_reused, stored_digests
from friren.persistence.facts import Fact, FactSpec, fact_kinds, spec_named
from friren.persistence.groups import GROUP, parts_of
from friren.persistence.handlers import (
    Verdict,
    apply_within,
    batch_handler_of,
    handler_of,
    maker_of,
    prepare_of,
    tables_before,
)
from friren.persistence.layouts import natural_keys
from friren.persistence.receipts import Receipt, WriteOutcome

__all__ = ["apply_batch", "apply_each", "is_foundation", "prepare", "store_group"]


def is_foundation(fact: Fact) -> bool:
    """Return whether other facts may need this one before they can even be prepared: an account, say."""
    return fact.kind != GROUP and _spec(fact.kind) is None and not tables_before(fact.kind)


def prepare(facts: Sequence[Fact], *, using: str) -> None:
    """
    Find the rows that facts name by natural key, and make the unknown ones, each in a commit of its own.

    Reference rows do no harm when the batch fails; made inside its transaction they could deadlock with another's.
    """
    parts = [part for fact in facts for part in parts_of(fact)]
    for kind, places in _by_kind(parts).items():
        spec, own, some = _spec(kind), prepare_of(kind), [parts[place] for place in places]
        if spec is not None:
            natural_keys(spec, some, using=using)
        if own is not None:
            own(some, using=using)


def apply_batch(facts: Sequence[Fact], *, using: str, producer: UUID | None = None) -> list[Verdict]:
    """
    Store facts within the caller's `one_commit`; return a verdict for each, in the order given.

    The parts of a group are stored where facts of their kinds are, and taken back together when one is refused.

    Args:
        producer: the journal they come from, kept with their rows.

    Raises:
        DatabaseError: the database is in trouble; nothing may be committed.
    """
    if not any(fact.kind == GROUP for fact in facts):
        return _apply(facts, using, producer)
    refused: dict[int, Verdict] = {}
    while True:
        tried = [place for place in range(len(facts)) if place not in refused]
        with transaction.atomic(using=using):
            verdicts = _together([facts[place] for place in tried], using, producer)
            judged = dict(zip(tried, verdicts, strict=True))
            bad = {
                place: verdict
                for place, verdict in judged.items()
                if facts[place].kind == GROUP and isinstance(verdict, Exception)
            }
            if bad:
                # Some of their parts are stored by now: take the batch back, and store it without these groups.
                transaction.set_rollback(True, using=using)
        if not bad:
            return [refused[place] if place in refused else judged[place] for place in range(len(facts))]
        refused |= bad


def _together(facts: Sequence[Fact], using: str, producer: UUID | None) -> list[Verdict]:
    """Store facts, groups part by part; return a verdict for each."""
    parts = [parts_of(fact) for fact in facts]
    verdicts = iter(_apply([part for some in parts for part in some], using, producer))
    return [_worst([next(verdicts) for _part in some]) for some in parts]


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict on facts that belong together: a refusal of one, or STORED if one is new."""
    refusals = (verdict for verdict in verdicts if isinstance(verdict, Exception))
    return next(refusals, WriteOutcome.STORED if WriteOutcome.STORED in verdicts else WriteOutcome.DUPLICATE)


def _apply(facts: Sequence[Fact], using: str, producer: UUID | None) -> list[Verdict]:
    verdicts: dict[int, Verdict] = {}
    by_kind = _by_kind(facts)
    for kind in sorted(by_kind, key=_rank):
        places = by_kind[kind]
        judged = _apply_kind(kind, [facts[place] for place in places], using, producer)
        verdicts.update(zip(places, judged, strict=True))
    return [verdicts[place] for place in range(len(facts))]


def store_group(fact: Fact, *, using: str) -> Receipt:
    """Store the parts of a group within the caller's `one_commit`; one that is refused takes it all back."""
    outcomes = [apply_within(part, using=using).outcome for part in parts_of(fact)]
    return Receipt(fact.id, WriteOutcome.STORED if WriteOutcome.STORED in outcomes else WriteOutcome.DUPLICATE)


def _by_kind(facts: Sequence[Fact]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, fact in enumerate(facts):
        places[fact.kind].append(place)
    return places


def _apply_kind(kind: str, facts: list[Fact], using: str, producer: UUID | None) -> list[Verdict]:
    spec = _spec(kind)
    batch = batch_handler_of(kind)
    if batch is not None:
        return batch(facts, using=using, producer=producer)
    if handler_of(kind) is None and spec is not None:
        return copy_facts(spec, facts, using=using, producer=producer)
    return apply_each(facts, using=using)


def apply_each(facts: Sequence[Fact], *, using: str) -> list[Verdict]:
    """Store facts of one kind one by one, each behind a savepoint, within the caller's `one_commit`."""
    spec = _spec(facts[0].kind) if facts else None
    # A move that was made already may no longer be possible from where the row stands now: look for it first.
    known = stored_digests(spec, [fact.id for fact in facts], using) if spec is not None else {}
    return [_apply_one(fact, spec, known.get(fact.id), using) for fact in facts]


def _apply_one(fact: Fact, spec: FactSpec | None, known: bytes | None, using: str) -> Verdict:
    if known is not None and spec is not None:
        return WriteOutcome.DUPLICATE if known == fact.digest else key_reused(spec, fact)
    try:
        with transaction.atomic(using=using):
            return apply_within(fact, using=using).outcome
    except RejectedRecordError as exc:
        return exc
    except DatabaseError as exc:
        if not is_refusal(exc):
            raise
        return _refused("", None, exc)
    except (TypeError, ValueError, LookupError, AttributeError) as exc:
        # A record that its handler cannot make sense of must not stop those behind it.
        return _refused("", None, exc)


def _refused(field: str, value: object, exc: Exception) -> RejectedRecordError:
    refusal = RejectedRecordError(field, value, f"{type(exc).__name__}: {exc}")
    refusal.__cause__ = exc
    return refusal


def _spec(kind: str) -> FactSpec | None:
    return spec_named(kind) if kind in _known_kinds() else None


@functools.cache
def _known_kinds() -> frozenset[str]:
    return frozenset(fact_kinds())


@functools.cache
def _rank(kind: str) -> int:
    """Return how many tables of facts stand above this kind; what others build on comes first."""
    if kind in _known_kinds():
        return _depth(spec_named(kind).model, frozenset())
    return max((1 + _depth(model, frozenset()) for model in tables_before(kind)), default=0)


def _depth(model: type[models.Model], above: frozenset[type[models.Model]]) -> int:
    # What is filled in later refers to rows that come later: a signal to the trade that it led to.
    later: tuple[str, ...] = getattr(model, "lifecycle", ())
    parents = {
        field.related_model
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and field.name not in later
    }
    if (maker := maker_of(model)) is not None:
        parents.add(spec_named(maker).model)
    return 1 + max((_depth(parent, above | {model}) for parent in parents - {model, *above}), default=0)
