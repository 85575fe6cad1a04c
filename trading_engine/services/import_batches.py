"""
A batch of imported facts: what of it is stored already, what moved on since, what disagrees, and what is new.

A fact of another system is looked up by venue and external id before anything is inserted: it may have been logged by
a bot of ours, under an id of its own, with more said of it than a file says.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connections
from django.utils import timezone

from friren.core.ids import natural_id
from friren.errors import KeyReusedError, RejectedRecordError
from friren.persistence.archived import sources
from friren.persistence.batches import apply_batch, prepare
from friren.persistence.facts import Fact, make_fact, spec_named
from friren.persistence.groups import group_of
from friren.persistence.handlers import Verdict, one_commit, producer_of
from friren.persistence.receipts import WriteOutcome
from friren.persistence.settings import BULK_STATEMENT_SECONDS
from trading_engine.lifecycles import ORDER_MOVES
from trading_engine.models import OrderStatusEvent
from trading_engine.services.import_conflicts import Conflict, differences, keep_conflicts, shown_value
from trading_engine.services.imported_facts import Proposed
from trading_engine.told_records import Finding, Taken, judge_of

__all__ = ["Judged", "judge_batch", "store_batch_of_imports"]

# Kinds that another system names by venue and external id.
_NAMED: Final = frozenset({"trade", "order", "cash_movement"})


@dataclasses.dataclass(slots=True)
class Judged:
    """What became of one record of a file: facts by outcome, those in conflict, and why it was refused, if it was."""

    imported: int = 0
    updated: int = 0
    duplicates: int = 0
    conflicts: list[Conflict] = dataclasses.field(default_factory=list)
    refusal: RejectedRecordError | None = None
    fresh: list[Fact] = dataclasses.field(default_factory=list)
    moves: list[Fact] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    id: UUID
    digest: bytes
    status: str


def store_batch_of_imports(
    records: Sequence[Sequence[Proposed]], *, account: UUID | None, file: str, lines: Sequence[int], using: str
) -> list[Judged]:
    """
    Store what is new of some records, in one commit; return what became of each.

    Args:
        records: the facts of each; what is new of a record is stored all or none.
        file, lines: where they stand, for the conflicts.

    Raises:
        DatabaseError: the database is in trouble; nothing was stored.
    """
    prepare([one.fact for record in records for one in record], using=using)
    with one_commit(using):
        with connections[using].cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {BULK_STATEMENT_SECONDS * 1000:.0f}")
        judged = judge_batch(records, account=account, using=using)
        units = [(one, group_of(one.fresh) if len(one.fresh) > 1 else one.fresh[0]) for one in judged if one.fresh]
        moves = [(one, move) for one in judged for move in one.moves]
        facts = [fact for _one, fact in units] + [move for _one, move in moves]
        verdicts = apply_batch(facts, using=using, producer=producer_of(using)) if facts else []
        for (one, _unit), verdict in zip(units, verdicts, strict=False):
            _count(one, verdict)
        for (one, _move), verdict in zip(moves, verdicts[len(units) :], strict=True):
            if isinstance(verdict, RejectedRecordError):
                one.refusal = verdict
            else:
                one.updated += verdict is WriteOutcome.STORED
        found = [(line, conflict) for line, one in zip(lines, judged, strict=True) for conflict in one.conflicts]
        keep_conflicts(found, file=file, using=using)
    return judged


def _count(one: Judged, verdict: Verdict) -> None:
    if isinstance(verdict, KeyReusedError):
        # Somebody stored it between question and answer, or it stands under a key that no lookup asks for.
        one.conflicts += [Conflict(fact, {verdict.field: ("", str(verdict.value))}) for fact in one.fresh]
    elif isinstance(verdict, RejectedRecordError):
        one.refusal = verdict
    elif verdict is WriteOutcome.STORED:
        one.imported += len(one.fresh)
    else:
        one.duplicates += len(one.fresh)


def judge_batch(records: Sequence[Sequence[Proposed]], *, account: UUID | None, using: str) -> list[Judged]:
    """Return what is known already of each record, and in `fresh` and `moves` what is not. Stores nothing."""
    facts = [one.fact for record in records for one in record]
    judging = _Judging(_known(facts, account, using))
    found = [judging.judge(record) for record in records]
    judging.settle(using)
    return found


class _Judging:
    """The records of one batch, one after the other."""

    def __init__(self, known: Mapping[tuple[str, Any, Any], _Known]) -> None:
        self._known = known
        self._seen: dict[UUID, Fact] = {}
        self._doubtful: list[tuple[Judged, Proposed, _Known]] = []
        # Those of which a later one replaces what is stored.
        self._replacing: dict[str, list[tuple[Judged, Fact]]] = defaultdict(list)
        # Orders that are stored under another id than the one that the source's key makes.
        self._renamed: dict[UUID, UUID] = {}

    def judge(self, record: Sequence[Proposed]) -> Judged:
        """Return what is known of a record."""
        judged = Judged()
        for proposed in record:
            fact = self._with_order(proposed.fact)
            if judge_of(fact.kind) is not None:
                self._replacing[fact.kind].append((judged, fact))
                continue
            stored = self._known.get(_key(fact))
            if stored is not None:
                self._held(judged, Proposed(fact, proposed.moved_at), stored)
            elif (before := self._seen.get(fact.id)) is not None:
                _second(judged, fact, before)
            else:
                self._seen[fact.id] = fact
                judged.fresh.append(fact)
        return judged

    def settle(self, using: str) -> None:
        """Judge facts whose digest differs from the stored one: a file that says less, and nothing else, agrees."""
        by_kind: dict[str, list[tuple[Judged, Proposed, _Known]]] = defaultdict(list)
        for one in self._doubtful:
            by_kind[one[1].fact.kind].append(one)
        for kind, some in by_kind.items():
            found = differences(kind, [proposed.fact for _judged, proposed, _stored in some], using=using)
            for (judged, proposed, stored), differing in zip(some, found, strict=True):
                if differing:
                    judged.conflicts.append(Conflict(proposed.fact, differing))
                else:
                    _same(judged, proposed, stored)
        for kind, told in self._replacing.items():
            judge = judge_of(kind)
            taken = judge([fact for _judged, fact in told], using) if judge is not None else []
            for (judged, fact), came in zip(told, taken, strict=True):
                _replaces(judged, fact, came)

    def _with_order(self, fact: Fact) -> Fact:
        order = fact.values.get("order")
        if order not in self._renamed:
            return fact
        return Fact(kind=fact.kind, id=fact.id, values={**fact.values, "order": self._renamed[order]})

    def _held(self, judged: Judged, proposed: Proposed, stored: _Known) -> None:
        """Judge a fact that is stored: the same, moved on, or in doubt."""
        fact = proposed.fact
        if stored.id != fact.id:
            self._renamed[fact.id] = stored.id
            fact = Fact(kind=fact.kind, id=stored.id, values=fact.values)
        own = Proposed(fact, proposed.moved_at)
        if stored.digest == fact.digest:
            _same(judged, own, stored)
        else:
            self._doubtful.append((judged, own, stored))


def _replaces(judged: Judged, fact: Fact, came: Finding) -> None:
    """Take in what became of a record that a later one replaces."""
    if came is Taken.KNOWN:
        judged.duplicates += 1
    elif isinstance(came, Taken):
        (judged.fresh if came is Taken.NEW else judged.moves).append(fact)
    elif isinstance(came, RejectedRecordError):
        # What is told with it belongs to it.
        judged.refusal, judged.fresh, judged.moves = came, [], []
    else:
        fields = {name: (shown_value(stored), shown_value(told)) for name, (stored, told) in came.items()}
        judged.conflicts.append(Conflict(fact, fields))


def _same(judged: Judged, proposed: Proposed, stored: _Known) -> None:
    """Judge a fact that is stored as it is told: it may have moved on since."""
    fact = proposed.fact
    told = fact.values.get("status", "pending") if fact.kind == "order" else stored.status
    if told == stored.status or stored.status in ORDER_MOVES.get(told, ()):
        # The same, or an older snapshot of it.
        judged.duplicates += 1
    elif told in ORDER_MOVES.get(stored.status, ()):
        judged.moves.append(_move(fact, told, proposed.moved_at))
    else:
        judged.conflicts.append(Conflict(fact, {"status": (stored.status, told)}))


def _move(order: Fact, status: str, moved_at: Any) -> Fact:
    return make_fact(
        OrderStatusEvent,
        id=natural_id("order_status_event", order.id, status),
        account=order.values["account"],
        order=order.id,
        to_status=status,
        occurred_at=moved_at or timezone.now(),
        reason="import",
    )


def _second(judged: Judged, fact: Fact, before: Fact) -> None:
    """Judge a fact that stands twice in what is imported."""
    if fact.digest == before.digest:
        judged.duplicates += 1
        return
    names = sorted({*fact.values, *before.values})
    told = {
        name: (shown_value(before.values.get(name)), shown_value(fact.values.get(name)))
        for name in names
        if before.values.get(name) != fact.values.get(name)
    }
    judged.conflicts.append(Conflict(fact, told))


def _key(fact: Fact) -> tuple[str, Any, Any]:
    if fact.kind in _NAMED:
        return fact.kind, fact.values.get("venue", ""), fact.values["external_id"]
    return fact.kind, None, fact.id


def _known(facts: Sequence[Fact], account: UUID | None, using: str) -> dict[tuple[str, Any, Any], _Known]:
    """Return what is stored of `facts`, by the key of the source or else by id."""
    asked: dict[tuple[str, Any], list[Any]] = defaultdict(list)
    for fact in facts:
        if judge_of(fact.kind) is not None:
            continue
        kind, venue, key = _key(fact)
        asked[kind, venue].append(key)
    found: dict[tuple[str, Any, Any], _Known] = {}
    for (kind, venue), keys in asked.items():
        model = spec_named(kind).model
        status = "status" if kind in {"trade", "order"} else "''"
        column, where = "id", "id = ANY(%s)"
        given: list[Any] = [keys]
        if venue is not None:
            column = "external_id"
            # As the index of these keys has it.
            where = "account_id = %s AND venue = %s AND external_id = ANY(%s) AND NOT (external_id = '')"
            given = [account, venue, keys]
        with connections[using].cursor() as cursor:
            # Names are the model's. One statement sees both places at one moment.
            places = sources(model._meta.db_table, using)
            asked_of = (f"SELECT {column}, id, digest, {status} FROM {place} WHERE {where}" for place in places)  # noqa: S608
            cursor.execute(" UNION ALL ".join(asked_of), given * len(places))
            for key, stored, digest, held in cursor.fetchall():
                found[kind, venue, key] = _Known(stored, bytes(digest), held)
    return found
