"""Bars that travel through the journal: each a record, and stored as the loader stores them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connections

from friren.persistence.codec import register_record
from friren.persistence.copy import copy_facts, key_reused
from friren.persistence.facts import Fact, spec_of
from friren.persistence.handlers import Verdict, register_handler
from friren.persistence.policies import KindPolicy, register_policy
from friren.persistence.receipts import Receipt, WriteOutcome
from trading_engine.data.bars import Bar
from trading_engine.models import Price
from trading_engine.services.price_loading import (
    PriceFact,
    Revising,
    load_within,
    make_months,
    price_fact,
    price_values,
    symbols_of,
)

__all__ = ["record_of", "register"]

PRICE: Final = "price"
REVISED_BAR: Final = "revised_bar"
# What a record of a revision tells beside the bar.
OF_REVISION: Final = frozenset({"revised_at", "reason"})


def register() -> None:
    """Register bars, and as a kind of their own those that may replace what is stored: `revised_bar`."""
    fields = {name: field.wire for name, field in spec_of(Price).fields.items()}
    register_record(REVISED_BAR, {**fields, "revised_at": dt.datetime, "reason": str})
    register_handler(PRICE, _store, batch=_store_all, prepare=_prepare)
    register_handler(REVISED_BAR, _store, prepare=_prepare, after=(Price,))
    register_policy(REVISED_BAR, KindPolicy(ordered=True))


def record_of(fact: PriceFact, revising: Revising | None) -> Fact:
    """Return the record of a bar."""
    values = price_values(fact.bar, fact.venue)
    if revising is None:
        return Fact(kind=PRICE, id=fact.id, values=values, known_digest=fact.digest)
    return Fact(kind=REVISED_BAR, id=fact.id, values={**values, "revised_at": revising.at, "reason": revising.reason})


def _prepare(facts: Sequence[Fact], *, using: str) -> None:
    make_months({fact.values["timestamp"].date().replace(day=1) for fact in facts}, using=using)


def _store_all(facts: Sequence[Fact], *, using: str, producer: UUID | None) -> list[Verdict]:
    return copy_facts(spec_of(Price), facts, using=using, producer=producer)


def _store(fact: Fact, *, using: str) -> Receipt:
    """Store a bar; one that may replace what is stored does, and leaves its old values."""
    told: dict[str, Any] = {name: value for name, value in fact.values.items() if name not in OF_REVISION}
    ticker, venue = told.pop("symbol")
    told.pop("is_suspect", None)  # follows from the others
    made = price_fact(Bar(symbol=ticker, **{**_defaults(), **told}), venue=venue)
    at = fact.values.get("revised_at")
    revising = None if at is None else Revising(at, fact.values.get("reason", ""), after_seq=None)
    loaded = load_within([made], symbols_of([made], using=using), revising=revising, using=using)
    with connections[using].cursor() as cursor:
        cursor.execute("DROP TABLE price_load")  # the next one of this transaction makes its own
    if loaded.stored or loaded.revised:
        return Receipt(fact.id, WriteOutcome.STORED)
    if loaded.conflicts:
        raise key_reused(spec_of(Price), fact)
    return Receipt(fact.id, WriteOutcome.DUPLICATE)


def _defaults() -> dict[str, Any]:
    return {name: field.default for name, field in spec_of(Price).fields.items() if name in {"timeframe", "source"}}
