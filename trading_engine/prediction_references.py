"""
How events and markets of prediction venues are stored: rows that move, of two tellings the later holds.

A venue tells them again and again, each time with the moment of its last change. Which telling is the later one is
therefore known whatever the order of arrival; one that says when and is older only fills in what nobody told yet.
What a market is by its nature (tokens, condition, outcome) is told once: told otherwise it is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import models
from django.db.models import ForeignKey, Q

from friren.errors import KeyReusedError, RejectedRecordError
from friren.persistence.codec import register_record
from friren.persistence.facts import Fact, spec_of
from friren.persistence.handlers import MissingRowError, Verdict, one_by_batch, register_handler
from friren.persistence.policies import KindPolicy, register_policy
from friren.persistence.receipts import WriteOutcome
from trading_engine.models import PredictionEvent, PredictionMarket, PredictionMarketSnapshot
from trading_engine.prediction_facts import EVENT, MARKET, event_fact, market_fact, market_snapshot_fact
from trading_engine.told_records import Finding, Taken, register_judge, register_maker

__all__ = ["References", "register"]

SNAPSHOT: Final = "prediction_market_snapshot"


@dataclasses.dataclass(frozen=True, slots=True)
class _Table:
    """A kind of reference row: its key, what of it is told once, and its column of everything else."""

    model: type[models.Model]
    key: str
    required: str
    data: str
    facts: tuple[str, ...] = ()


_TABLES: Final[Mapping[str, _Table]] = {
    EVENT: _Table(PredictionEvent, "event_id", "title", "event_data"),
    MARKET: _Table(PredictionMarket, "market_id", "question", "market_data", PredictionMarket.facts),
}


class References:
    """The rows that some tellings are about, and what the tellings make of them, in memory."""

    def __init__(self, kind: str, facts: Iterable[Fact], *, using: str, lock: bool = False) -> None:
        """
        Args:
            kind: of `_TABLES`.
            lock: hold the rows until the transaction ends.
        """
        self._is = _TABLES[kind]
        rows = self._is.model._default_manager.using(using)
        if lock:
            # In one order for all, so two writers never wait for one another.
            rows = rows.select_for_update(no_key=True).order_by("pk")
        keys = {fact.values.get(self._is.key) for fact in facts} - {None}
        wanted = Q(**{f"{self._is.key}__in": keys})
        if conditions := {fact.values["condition_id"] for fact in facts if self._is.key not in fact.values}:
            wanted |= Q(condition_id__in=conditions) & ~Q(condition_id="")
        self._rows: dict[str, Any] = {}
        self._by_condition: dict[str, Any] = {}
        self.changed: dict[str, Any] = {}
        for row in rows.filter(wanted):
            self._know(row)

    def lacking(self, fact: Fact) -> bool:
        """Return whether a telling is of a row that is not there."""
        return self._row(fact) is None

    def new_row(self, fact: Fact) -> Any:
        """
        Return the row that a telling makes, not stored.

        Raises:
            RejectedRecordError: too little is told of it, or it can only be told of a row that is there.
        """
        told = fact.values
        if self._is.key not in told:
            raise MissingRowError("condition_id", told["condition_id"], "is no stored market's")
        if not told.get(self._is.required):
            raise RejectedRecordError(self._is.required, None, "is required")
        fields = self._is.model._meta
        return self._is.model(**{_column(fields.get_field(name)): value for name, value in told.items()})

    def take(self, fact: Fact) -> Finding:
        """Take a telling in, and return what it was; nothing is taken of one whose facts are stored otherwise."""
        row = self._row(fact)
        if row is None:
            try:
                self._know(self.new_row(fact))
            except RejectedRecordError as exc:
                return exc
            return Taken.NEW
        told = self._columns(fact)
        refused = {
            name: (getattr(row, name), told[name])
            for name in self._is.facts
            if told.get(name) and getattr(row, name) not in {"", told[name]}
        }
        if refused:
            return refused
        later = _is_later(told.get("told_at"), row.told_at)
        changed = {name for name, value in told.items() if self._set(row, name, value, later=later)}
        if changed:
            self.changed[getattr(row, self._is.key)] = row
        # That the venue says so again moves the moment, and is no news.
        return Taken.CHANGED if changed - {"told_at"} else Taken.KNOWN

    def _row(self, fact: Fact) -> Any:
        if self._is.key in fact.values:
            return self._rows.get(fact.values[self._is.key])
        return self._by_condition.get(fact.values["condition_id"])

    def _know(self, row: Any) -> None:
        self._rows[getattr(row, self._is.key)] = row
        if condition := getattr(row, "condition_id", ""):
            self._by_condition[condition] = row

    def _columns(self, fact: Fact) -> dict[str, Any]:
        named = self._is.model._meta
        return {_column(named.get_field(name)): value for name, value in fact.values.items() if name != self._is.key}

    def _set(self, row: Any, name: str, value: Any, *, later: bool) -> bool:
        held = getattr(row, name)
        if name == self._is.data:
            value = {**held, **value} if later else {**value, **held}
        elif not later and held not in {None, ""}:
            return False
        if held == value:
            return False
        setattr(row, name, value)
        return True


def register() -> None:
    """Register the kinds `prediction_event` and `prediction_market`, and how files tell of them and of snapshots."""
    for kind, table in _TABLES.items():
        register_record(kind, {name: field.wire for name, field in spec_of(table.model).fields.items()})
        # Nothing is stored after them for their sake: whatever names them does so by text.
        register_handler(kind, one_by_batch(_store_all), batch=_store_all, after=(PredictionMarketSnapshot,))
        register_policy(kind, KindPolicy(ordered=True))
        register_judge(kind, partial(_judge, kind))
    register_maker(EVENT, lambda _account, told: event_fact(told))
    register_maker(MARKET, lambda _account, told: market_fact(told))
    register_maker(SNAPSHOT, lambda _account, told: market_snapshot_fact(**told))


def _judge(kind: str, facts: Sequence[Fact], using: str) -> list[Finding]:
    rows = References(kind, facts, using=using)
    return [rows.take(fact) for fact in facts]


def _store_all(facts: Sequence[Fact], *, using: str, producer: UUID | None) -> list[Verdict]:
    del producer  # the tables name none
    kind = facts[0].kind
    made = _insert_new(kind, facts, using)
    rows = References(kind, facts, using=using, lock=True)
    verdicts: list[Verdict] = []
    for place, fact in enumerate(facts):
        verdicts.append(WriteOutcome.STORED if place in made else _verdict(rows, fact))
    for row in rows.changed.values():
        row.save(using=using)
    return verdicts


def _verdict(rows: References, fact: Fact) -> Verdict:
    came = rows.take(fact)
    if isinstance(came, RejectedRecordError):
        return came
    if isinstance(came, Taken):
        return WriteOutcome.STORED if came is Taken.CHANGED else WriteOutcome.DUPLICATE
    name, (held, new) = next(iter(came.items()))
    return KeyReusedError(name, new, f"is {held!r} already, for good")


def _insert_new(kind: str, facts: Sequence[Fact], using: str) -> set[int]:
    """Insert the rows that are not there; return the places of the tellings that made them."""
    table = _TABLES[kind]
    known = References(kind, facts, using=using)
    fresh: dict[str, tuple[int, Any]] = {}
    for place, fact in enumerate(facts):
        key = fact.values.get(table.key)
        if key is None or key in fresh or not known.lacking(fact) or not fact.values.get(table.required):
            continue
        fresh[key] = (place, known.new_row(fact))
    rows = table.model._default_manager.using(using)
    # By key, so that two writers who make the same rows never wait for one another; who comes second makes none.
    rows.bulk_create([fresh[key][1] for key in sorted(fresh)], ignore_conflicts=True)
    stored = dict(rows.filter(**{f"{table.key}__in": list(fresh)}).values_list(table.key, "created_at"))
    return {place for key, (place, row) in fresh.items() if stored[key] == row.created_at}


def _is_later(told: Any, held: Any) -> bool:
    """Return whether a telling is later than what is held; one that does not say when is told now."""
    return told is None or held is None or told > held


def _column(field: Any) -> str:
    """Return the attribute that holds a field's value; of a reference the text it refers by."""
    return str(field.attname) if isinstance(field, ForeignKey) else str(field.name)
