"""What the system saw when it decided, read back as it was captured."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any, Final
from uuid import UUID

from django.db import connections

from friren.persistence.answers import ask
from friren.persistence.archived_reads import with_archive
from friren.persistence.prepared import fetch_light
from friren.persistence.reads import row_type, sql_of
from portfolio_manager.models import AccountSnapshot
from trading_engine.models import CalendarSnapshot, CandleSnapshot, IndicatorSnapshot, NewsSnapshot
from trading_engine.models.snapshots import Snapshot

__all__ = ["Replay", "read_replay"]


@dataclasses.dataclass(frozen=True, slots=True)
class Replay:
    """
    The five snapshots of one decision, each in the order of its keys.

    Attributes:
        snapshot_ref: what they share.
        as_of: when they were read, UTC; None: they could not be, and are not known.
        stale: the database could not be asked; this is what was known at `as_of`.
    """

    snapshot_ref: UUID
    candles: list[Any]
    indicators: list[Any]
    calendar: list[Any]
    news: list[Any]
    accounts: list[Any]
    as_of: dt.datetime | None
    stale: bool

    def __len__(self) -> int:
        """How many rows they have together."""
        return sum(len(rows) for rows in (self.candles, self.indicators, self.calendar, self.news, self.accounts))


# In the order of Replay's fields, with what puts their rows in order.
_KINDS: Final[tuple[tuple[type[Snapshot], tuple[str, ...]], ...]] = (
    (CandleSnapshot, ("symbol", "timeframe")),
    (IndicatorSnapshot, ("symbol", "timeframe")),
    (CalendarSnapshot, ("event_time", "currency", "title")),
    (NewsSnapshot, ("published_at", "source", "headline")),
    (AccountSnapshot, ("captured_at",)),
)


def read_replay(snapshot_ref: UUID, *, using: str) -> Replay:
    """Return what was captured under `snapshot_ref`, whichever system captured it, archived rows too."""
    queries = [_query(model, order, snapshot_ref, using) for model, order in _KINDS]

    def question(alias: str) -> list[list[Any]]:
        found = []
        for make, sql, parameters in queries:
            found.append([make(*values) for values in fetch_light(connections[alias], sql, parameters)])
        return found

    answer = ask(("replay", snapshot_ref), question, using=using)
    candles, indicators, calendar, news, accounts = answer.rows or [[] for _kind in _KINDS]
    return Replay(snapshot_ref, candles, indicators, calendar, news, accounts, as_of=answer.as_of, stale=answer.stale)


def _query(model: type[Snapshot], order: tuple[str, ...], snapshot_ref: UUID, using: str) -> tuple[Any, str, Any]:
    rows = with_archive(model._default_manager.using(using).filter(snapshot_ref=snapshot_ref))
    return (row_type(model), *sql_of(rows.order_by(*order, "captured_at", "id")))
