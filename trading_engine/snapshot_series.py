"""How snapshots are stored, of what was seen and of markets: as facts are, into the partition of their month."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import connections, transaction

from friren.core.ids import natural_id
from friren.core.models import SeriesModel
from friren.core.partitions import ensure_months
from friren.persistence.aliases import database_of
from friren.persistence.copy import copy_facts
from friren.persistence.facts import Fact, make_fact, spec_named, spec_of
from friren.persistence.handlers import Verdict, one_by_batch, register_handler
from friren.persistence.recorder import Recorder
from trading_engine.models import (
    CalendarSnapshot,
    CandleSnapshot,
    IndicatorSnapshot,
    NewsSnapshot,
    PredictionMarketSnapshot,
)
from trading_engine.models.snapshots import Snapshot

__all__ = ["prepare_months", "register", "register_series", "snapshot_fact"]

# A month is made in milliseconds; who waits longer meets a long load, and the default partition takes the rows.
LOCK_MILLISECONDS: Final = 2_000

# (database, table, first of the month) that are there for certain; partitions of the current months are never dropped.
_there: set[tuple[str, str, dt.date]] = set()


def register() -> None:
    """Register the kinds of snapshot of this floor."""
    for model in (CandleSnapshot, IndicatorSnapshot, CalendarSnapshot, NewsSnapshot, PredictionMarketSnapshot):
        register_series(model)


def register_series(model: type[SeriesModel]) -> None:
    """Let rows of a kind be stored by COPY: INSERT … ON CONFLICT (id) wants a key that a partitioned table has not."""
    register_handler(spec_of(model).kind, one_by_batch(_store_all), batch=_store_all, prepare=partial(_prepare, model))


def snapshot_fact(model: type[Snapshot], *, snapshot_ref: UUID | None, captured_at: dt.datetime, **values: Any) -> Fact:
    """
    Return the fact of a row of a snapshot; the same row told twice is the same fact.

    Raises:
        RejectedRecordError: a value breaks a rule.
    """
    fact = make_fact(model, snapshot_ref=snapshot_ref, captured_at=captured_at, **values)
    told = fact.values
    parts = (told.get("snapshot_ref"), *(told.get(name) for name in model.shows), told["captured_at"])
    return msgspec.structs.replace(fact, id=natural_id(fact.kind, *parts))


def prepare_months(recorder: Recorder, facts: Iterable[Fact]) -> None:
    """
    Make the months that snapshots among `facts` fall into, before they are recorded directly.

    Not in their transaction, whose other locks it would hold up. While the database is away nothing happens: what goes
    to the journal has its months made when it is drained, and a month that lacks is what the default partition is for.
    """
    if recorder.mode != "direct":
        return
    wanted: dict[type[SeriesModel], list[Fact]] = {}
    for fact in facts:
        model = spec_named(fact.kind).model
        if issubclass(model, SeriesModel):
            wanted.setdefault(model, []).append(fact)
    for model, some in wanted.items():
        if _missing(model, some, recorder.using):
            recorder.derive(partial(_prepare_by, model, some))


def _prepare_by(model: type[SeriesModel], facts: Sequence[Fact], alias: str) -> None:
    _prepare(model, facts, using=alias)


def _prepare(model: type[SeriesModel], facts: Sequence[Fact], *, using: str) -> None:
    months = _missing(model, facts, using)
    if not months:
        return
    table = model._meta.db_table
    with transaction.atomic(using=using, durable=True):
        with connections[using].cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}")
        ensure_months(table, months, using=using)
    _there.update((database_of(using), table, month) for month in months)


def _missing(model: type[SeriesModel], facts: Iterable[Fact], using: str) -> set[dt.date]:
    months = {fact.values[model.time_field].date().replace(day=1) for fact in facts}
    database, table = database_of(using), model._meta.db_table
    return {month for month in months if (database, table, month) not in _there}


def _store_all(facts: Sequence[Fact], *, using: str, producer: UUID | None) -> list[Verdict]:
    return copy_facts(spec_named(facts[0].kind), facts, using=using, producer=producer)
