"""What is held, what one fact did to it, and how cost is taken out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import msgspec

from friren.core.ids import natural_id
from friren.core.numbers import CONTEXT, ZERO, quantize
from portfolio_manager.accounting.facts import CostBasis, Instrument, Source

__all__ = ["Leg", "Lot", "PositionState", "Role", "Side", "leg_id", "position_id", "restated", "taken"]


class Side(StrEnum):
    """Which way a position faces; YES and NO are the two tokens of a prediction market."""

    LONG = "LONG"
    SHORT = "SHORT"
    YES = "YES"
    NO = "NO"


class Role(StrEnum):
    """What a leg did to its position."""

    OPEN = "OPEN"
    INCREASE = "INCREASE"
    REDUCE = "REDUCE"
    CLOSE = "CLOSE"
    SPLIT = "SPLIT"
    RESOLVE = "RESOLVE"


class Lot(msgspec.Struct, frozen=True):
    """A quantity bought at one time and what it cost."""

    quantity: Decimal
    cost: Decimal


class PositionState(msgspec.Struct, frozen=True, kw_only=True):
    """
    A holding of one instrument by one strategy; closed when `quantity` is 0.

    Sums are kept, never averages. For a short `total_cost` is what its sale brought in and
    `closed_proceeds` what buying it back cost.

    Attributes:
        trade: the id of the fill that opened it; strategy, regime, round trip and pair are that fill's.
        slot: which of several positions of the same instrument and strategy: "" when netting.
        opened_quantity: everything that was added, in today's units (splits restate it).
        commission: paid in the instrument's own currency; other currencies are in the ledger alone.
        leverage, stop_loss_price, target_price: of the latest fill that states one.
        lots: under FIFO and LIFO what is left of each purchase, oldest first.
    """

    id: UUID
    trade: UUID
    instrument: Instrument
    strategy: str
    slot: str
    side: str
    opened_at: dt.datetime
    quantity: Decimal
    total_cost: Decimal
    opened_quantity: Decimal
    opened_cost: Decimal
    closed_quantity: Decimal = ZERO
    closed_proceeds: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    commission: Decimal = ZERO
    closed_at: dt.datetime | None = None
    exit_reason: str = ""
    regime_at_entry: str = ""
    round_trip: UUID | None = None
    leverage: Decimal | None = None
    stop_loss_price: Decimal | None = None
    target_price: Decimal | None = None
    pair: int | str | None = None
    lots: tuple[Lot, ...] = ()


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """
    The effect of one fact on one position, and the position's state after it.

    Attributes:
        source, source_kind: the id and the kind of the fact: a trade, a corporate action or a resolution.
        number: 1 for the second leg of a fill that crosses zero, otherwise 0.
        quantity: added or taken out; of a split, the change.
        cost: cost added or taken out.
    """

    id: UUID
    position: UUID
    source: UUID
    source_kind: Source
    number: int
    role: str
    at: dt.datetime
    quantity: Decimal
    cost: Decimal
    realized_pnl: Decimal
    commission: Decimal
    quantity_after: Decimal
    total_cost_after: Decimal
    realized_pnl_after: Decimal
    lots_after: tuple[Lot, ...] = ()


def position_id(trade: UUID) -> UUID:
    """Return the id of the position that a trade opens (it opens one at most)."""
    return natural_id("position", trade)


def leg_id(role: str, source: UUID, position: UUID, number: int) -> UUID:
    """Return the id of a leg: of (trade, number), or of (action or resolution, position)."""
    if role in {Role.SPLIT, Role.RESOLVE}:
        return natural_id("position_fill", source, position)
    return natural_id("position_fill", source, number)


def taken(position: PositionState, quantity: Decimal, basis: str) -> tuple[Decimal, tuple[Lot, ...]]:
    """
    Return the cost that `quantity` takes out of a position, and the lots that stay.

    AVERAGE takes cost × quantity / held; FIFO the oldest lots, LIFO the newest. What is left keeps
    the rest, so that parts always sum to the whole. Runs in the caller's decimal context.
    """
    if basis == CostBasis.AVERAGE:
        return _share(position.total_cost, quantity, position.quantity), ()
    lots = list(position.lots)
    end = 0 if basis == CostBasis.FIFO else -1
    cost, wanted = ZERO, quantity
    while wanted:
        lot = lots.pop(end)
        part = min(wanted, lot.quantity)
        part_cost = _share(lot.cost, part, lot.quantity)
        cost, wanted = cost + part_cost, wanted - part
        if part != lot.quantity:
            rest = Lot(lot.quantity - part, lot.cost - part_cost)
            lots.insert(0 if end == 0 else len(lots), rest)
    return cost, tuple(lots)


def _share(cost: Decimal, quantity: Decimal, held: Decimal) -> Decimal:
    return cost if quantity == held else quantize(cost * quantity / held)


def restated(lots: Sequence[Lot], ratio: Decimal) -> tuple[Lot, ...]:
    """
    Return lots after a split: quantities times `ratio`, costs as they were.

    The running total is rounded, not each lot, so that lots sum to the rounded total; a lot that
    rounds to nothing leaves its cost to its neighbour.
    """
    kept: list[Lot] = []
    before = after = carried = ZERO
    for lot in lots:
        before = CONTEXT.add(before, lot.quantity)
        total = quantize(CONTEXT.multiply(before, ratio))
        quantity, after = CONTEXT.subtract(total, after), total
        cost, carried = CONTEXT.add(lot.cost, carried), ZERO
        if quantity:
            kept.append(Lot(quantity, cost))
        elif kept:
            kept[-1] = Lot(kept[-1].quantity, CONTEXT.add(kept[-1].cost, cost))
        else:
            carried = cost
    return tuple(kept)
