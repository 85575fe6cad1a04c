"""Record events, markets and market snapshots of prediction venues, and read them back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final, Unpack

from django.utils import timezone

from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import Fact, spec_of
from friren.persistence.groups import group_of
from friren.persistence.reads import newest_first
from friren.persistence.receipts import BulkReceipt, Receipt, Rows
from trading_engine.models import PredictionMarketSnapshot
from trading_engine.prediction_facts import (
    EventDetails,
    MarketDetails,
    SnapshotFigures,
    event_fact,
    market_fact,
    market_snapshot_fact,
    snapshot_of_market,
)
from trading_engine.services.base import Service
from trading_engine.snapshot_series import prepare_months
from trading_engine.system_notes import NoteKey, note_fact

__all__ = ["MarketRecorder"]

EVENT_KEYWORDS: Final = frozenset(EventDetails.__annotations__) | {"event_id"}
MARKET_KEYWORDS: Final = frozenset(MarketDetails.__annotations__) | {"market_id"}
SNAPSHOT_KEYWORDS: Final = frozenset(SnapshotFigures.__annotations__) | {"market", "timestamp"}


class MarketRecorder(Service):
    """
    Records what prediction venues offer. It belongs to no account.

    Events and markets are rows that move: of two tellings the one with the later `told_at` holds, and one that names
    none is told now. Tokens, condition and outcome of a market are told once and for all. Snapshots are facts.
    """

    def record_event(self, *, event_id: str, **details: Unpack[EventDetails]) -> Receipt:
        """
        Store an event, or what is new of one that is stored.

        Args:
            event_id: the venue's.
            details: what EventDetails lists; None is not told.

        Returns:
            STORED, or DUPLICATE when nothing of it is new.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
        """
        checks.refuse_unknown(details, known=EVENT_KEYWORDS, of="record_event")
        return self.recorder.record(_event({"event_id": event_id, **details}, timezone.now()))

    def record_market(self, *, market_id: str, **details: Unpack[MarketDetails]) -> Receipt:
        """
        Store a market, or what is new of one that is stored. Outcomes and errors as for `record_event`.

        Args:
            market_id: the venue's.
            details: what MarketDetails lists; None is not told.

        Raises:
            KeyReusedError: a token, the condition or the outcome is stored otherwise.
        """
        checks.refuse_unknown(details, known=MARKET_KEYWORDS, of="record_market")
        return self.recorder.record(_market({"market_id": market_id, **details}, timezone.now()))

    def log_market_snapshot(
        self, *, market: Any, timestamp: dt.datetime, **figures: Unpack[SnapshotFigures]
    ) -> Receipt:
        """
        Store how a market stood at a moment.

        Args:
            market: its id, or row; it need not be stored.
            timestamp: when it stood so, aware.
            figures: what SnapshotFigures lists.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: the market stood otherwise at this moment, as is stored.
        """
        checks.refuse_unknown(figures, known=SNAPSHOT_KEYWORDS, of="log_market_snapshot")
        self.recorder.refuse_closed()
        fact = market_snapshot_fact(market=market, timestamp=timestamp, **figures)
        prepare_months(self.recorder, [fact])
        return self.recorder.record(fact)

    def record_events(self, events: Iterable[Mapping[str, Any]], at: dt.datetime) -> BulkReceipt:
        """
        Store an export of events, each given as the keywords of `record_event`, and note it as `last_event_export`.

        Args:
            at: when it was made, aware; the `told_at` of events that name none.

        Returns:
            How many were new or changed, how many were known so, and (index, error) of those refused.
        """
        moment = checks.check_time("at", at)
        receipt = self.recorder.record_many(events, partial(_told_event, at=moment))
        self._note("last_event_export", moment)
        return receipt

    def record_markets(self, markets: Iterable[Mapping[str, Any]], at: dt.datetime) -> BulkReceipt:
        """
        Store an export of markets, each given as the keywords of `record_market`, each with a snapshot of its moment,
        and note it as `last_market_filter`. Parameters and result as for `record_events`.
        """
        moment = checks.check_time("at", at)
        receipt = self.recorder.record_many(markets, partial(_told_market, at=moment))
        self._note("last_market_filter", moment)
        return receipt

    def bulk_log_snapshots(self, snapshots: Iterable[Mapping[str, Any]]) -> BulkReceipt:
        """Store many snapshots, each given as the keywords of `log_market_snapshot`; result as for `record_events`."""
        return self.recorder.record_many(snapshots, _told_snapshot)

    def get_snapshot_history(
        self,
        market: Any = None,
        *,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        limit: int = 100,
        after: Any = None,
        include_archive: bool = False,
    ) -> Rows[Any]:
        """
        Return snapshots, newest first; parameters and errors as for `get_trade_history`.

        Args:
            market: id or row; all when None.
        """
        rows = PredictionMarketSnapshot.objects.using(self.using)
        if market is not None:
            rows = rows.filter(market=spec_of(PredictionMarketSnapshot).fields["market"].check("market", market))
        return newest_first(
            rows, time="timestamp", start=start, end=end, limit=limit, after=after, include_archive=include_archive
        )

    def _note(self, key: NoteKey, at: dt.datetime) -> None:
        self.recorder.record(note_fact(key, at))


def _event(told: Mapping[str, Any], at: dt.datetime) -> Fact:
    return event_fact(told if told.get("told_at") is not None else {**told, "told_at": at})


def _market(told: Mapping[str, Any], at: dt.datetime) -> Fact:
    return market_fact(told if told.get("told_at") is not None else {**told, "told_at": at})


def _told_event(told: Any, *, at: dt.datetime) -> Fact:
    return _event(checks.check_record("event", told, known=EVENT_KEYWORDS, of="record_event"), at)


def _told_market(told: Any, *, at: dt.datetime) -> Fact:
    known = checks.check_record("market", told, known=MARKET_KEYWORDS, of="record_market")
    market, snapshot = _market(known, at), snapshot_of_market(known, at)
    return market if snapshot is None else group_of([market, snapshot])


def _told_snapshot(told: Any) -> Fact:
    known = checks.check_record("snapshot", told, known=SNAPSHOT_KEYWORDS, of="log_market_snapshot")
    for name in ("market", "timestamp"):
        if known.get(name) is None:
            raise RejectedRecordError(name, None, "is required")
    return market_snapshot_fact(**known)
