"""Loss records: they travel through the journal like facts, and are stored beside them."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from friren.persistence.codec import register_record
from friren.persistence.facts import Fact
from friren.persistence.handlers import register_handler
from friren.persistence.models import LossRecord
from friren.persistence.receipts import Receipt, WriteOutcome

__all__ = ["register"]


def register() -> None:
    """Register the kind `loss_record`."""
    fields = {
        "producer": UUID,
        "kind": str,
        "lost": int,
        "first_at": dt.datetime,
        "last_at": dt.datetime,
        "reason": str,
    }
    register_record("loss_record", fields)
    register_handler("loss_record", store_loss)


def store_loss(fact: Fact, *, using: str) -> Receipt:
    """Store how much was lost, once."""
    losses = LossRecord.objects.using(using)
    if losses.filter(id=fact.id).exists():
        return Receipt(fact.id, WriteOutcome.DUPLICATE)
    losses.bulk_create([LossRecord(id=fact.id, **fact.values)], ignore_conflicts=True)
    return Receipt(fact.id, WriteOutcome.STORED)
