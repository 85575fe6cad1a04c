"""What a fact does to cash: the ledger, and the part of it that needs no position to be known."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import msgspec

from friren.core.ids import natural_id
from friren.core.numbers import CONTEXT, LIMIT, quantize
from friren.errors import RejectedRecordError
from portfolio_manager.accounting.facts import BUYS, Cash, Fact, Fill, InstrumentType, Source

__all__ = ["Entry", "EntryKind", "bounded", "cash_entry", "entry", "fill_entries", "notional", "total_of"]


class EntryKind(StrEnum):
    """Why cash changed, where a fact of trading changed it; cash movements bring kinds of their own."""

    FILL = "FILL"
    COMMISSION = "COMMISSION"
    REALIZED = "REALIZED"
    DIVIDEND = "DIVIDEND"
    SETTLEMENT = "SETTLEMENT"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """
    One line of the ledger; the balance of a currency is the sum of its entries' amounts.

    Attributes:
        source, source_kind: the id and the kind of the fact it comes from.
        position: the position it depends on; None when the fact alone decides it.
    """

    id: UUID
    source: UUID
    source_kind: Source
    kind: str
    currency: str
    amount: Decimal
    at: dt.datetime
    position: UUID | None = None


def entry(fact: Fact, kind: str, currency: str, amount: Decimal, *, position: UUID | None = None) -> Entry:
    """Return the ledger line of one fact, kind and position; equal arguments give an equal id."""
    return Entry(
        id=natural_id("ledger_entry", fact.id, position, kind),
        source=fact.id,
        source_kind=fact.source_kind,
        kind=kind,
        currency=currency,
        amount=bounded("amount", amount),
        at=fact.at,
        position=position,
    )


def bounded(field: str, value: Decimal) -> Decimal:
    """
    Return `value`, or refuse what the books cannot hold.

    Raises:
        RejectedRecordError: |value| is 1e20 or more.
    """
    # copy_abs and copy_negate throughout: abs(x) and -x round to the caller's decimal context.
    if value.copy_abs() >= LIMIT:
        raise RejectedRecordError(field, value, "the books hold less than 1e20 of anything, in absolute value")
    return value


def notional(quantity: Decimal, price: Decimal, multiplier: Decimal) -> Decimal:
    """Return quantity × price × multiplier, rounded once: the one function for cost, cash and marks."""
    product = CONTEXT.multiply(CONTEXT.multiply(quantity, price), multiplier)
    return bounded("quantity × price", quantize(product))


def total_of(fill: Fill) -> Decimal:
    """Return the money of a whole fill: the stated amount of a prediction, otherwise its notional."""
    if fill.amount is not None and fill.instrument.type == InstrumentType.PREDICTION:
        return fill.amount
    return notional(fill.quantity, fill.price, fill.instrument.multiplier)


def fill_entries(fill: Fill, base_currency: str) -> list[Entry]:
    """Return what a fill does to cash whatever is held: its price unless leveraged, and its commission."""
    currency = fill.instrument.currency or base_currency
    entries = []
    if fill.instrument.type != InstrumentType.LEVERAGED:
        total = total_of(fill)
        amount = total.copy_negate() if fill.action in BUYS else total
        entries.append(entry(fill, EntryKind.FILL, currency, amount))
    if fill.commission:
        paid_in = fill.commission_currency or currency
        entries.append(entry(fill, EntryKind.COMMISSION, paid_in, fill.commission.copy_negate()))
    return entries


def cash_entry(cash: Cash, base_currency: str) -> Entry:
    """Return the one ledger line of a cash movement."""
    return entry(cash, cash.kind, cash.currency or base_currency, cash.amount)
