"""When services last did what: the `last_…` rows of SystemMetadata. A later note takes an earlier one's place."""

from __future__ import annotations

import datetime as dt
from typing import Final, Literal

from django.utils import timezone

from friren.core.ids import natural_id
from friren.core.models import Account, SystemMetadata
from friren.persistence import checks
from friren.persistence.codec import register_record
from friren.persistence.facts import Fact
from friren.persistence.handlers import register_handler
from friren.persistence.receipts import Receipt, WriteOutcome

__all__ = ["NoteKey", "note_fact", "register"]

KIND: Final = "system_note"
NoteKey = Literal["last_event_export", "last_market_filter", "last_signal_generation", "last_trade_execution"]


def register() -> None:
    """Register the kind `system_note`."""
    register_record(KIND, {"key": str, "value": str})
    register_handler(KIND, _store, after=(Account,))


def note_fact(key: NoteKey, at: dt.datetime) -> Fact:
    """
    Return the record that something was done.

    Args:
        at: when, aware.
    """
    # Of one width, so that the later one is the greater text.
    value = checks.check_time("at", at).astimezone(dt.UTC).isoformat(timespec="microseconds")
    return Fact(kind=KIND, id=natural_id(KIND, key, value), values={"key": key, "value": value})


def _store(fact: Fact, *, using: str) -> Receipt:
    key, value = fact.values["key"], fact.values["value"]
    rows = SystemMetadata.objects.using(using)
    rows.bulk_create([SystemMetadata(key=key, value="")], ignore_conflicts=True)
    moved = rows.filter(key=key, value__lt=value).update(value=value, updated_at=timezone.now())
    return Receipt(fact.id, WriteOutcome.STORED if moved else WriteOutcome.DUPLICATE)
