"""How one position changes: opened, increased, reduced, split, closed. All in the caller's decimal context."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from friren.core.numbers import ZERO, quantize
from portfolio_manager.accounting.facts import CostBasis, Fill
from portfolio_manager.accounting.positions import Lot, PositionState, Side, position_id, restated, taken
from portfolio_manager.accounting.routing import Route

__all__ = ["Part", "closed", "increased", "opened", "realized_by", "reduced", "split_by"]


class Part(msgspec.Struct, frozen=True):
    """The part of a fill that goes into one leg: quantity, its money (cost or proceeds) and its commission."""

    quantity: Decimal
    money: Decimal
    commission: Decimal


def opened(fill: Fill, to: Route, part: Part, basis: str) -> PositionState:
    """Return the position that a fill opens."""
    return PositionState(
        id=position_id(fill.id),
        trade=fill.id,
        instrument=fill.instrument,
        strategy=fill.strategy,
        slot=to.slot,
        side=to.side,
        opened_at=fill.at,
        quantity=part.quantity,
        total_cost=part.money,
        opened_quantity=part.quantity,
        opened_cost=part.money,
        commission=part.commission,
        regime_at_entry=fill.regime_at_entry,
        round_trip=fill.round_trip,
        leverage=fill.leverage,
        stop_loss_price=fill.stop_loss_price,
        target_price=fill.target_price,
        pair=fill.pair,
        lots=_lots(part, basis),
    )


def increased(held: PositionState, fill: Fill, part: Part, basis: str) -> PositionState:
    """Return `held` after a fill that adds to it."""
    return replace(
        _stated(held, fill),
        quantity=held.quantity + part.quantity,
        total_cost=held.total_cost + part.money,
        opened_quantity=held.opened_quantity + part.quantity,
        opened_cost=held.opened_cost + part.money,
        commission=held.commission + part.commission,
        lots=held.lots + _lots(part, basis),
    )


def reduced(held: PositionState, fill: Fill, part: Part, basis: str) -> tuple[PositionState, Decimal]:
    """Return `held` after a fill that takes from it, and the cost that was taken out."""
    cost, lots = taken(held, part.quantity, basis)
    closes = part.quantity == held.quantity
    position = replace(
        _stated(held, fill),
        quantity=held.quantity - part.quantity,
        total_cost=held.total_cost - cost,
        closed_quantity=held.closed_quantity + part.quantity,
        closed_proceeds=held.closed_proceeds + part.money,
        realized_pnl=held.realized_pnl + realized_by(held.side, cost, part.money),
        commission=held.commission + part.commission,
        closed_at=fill.at if closes else None,
        exit_reason=fill.exit_reason if closes else "",
        lots=lots,
    )
    return position, cost


def split_by(held: PositionState, ratio: Decimal) -> PositionState:
    """Return `held` with quantities in units after the split; money stays. Its quantity may round to 0."""
    quantity, added = quantize(held.quantity * ratio), quantize(held.opened_quantity * ratio)
    return replace(
        held,
        quantity=quantity,
        opened_quantity=added,
        closed_quantity=added - quantity,
        lots=restated(held.lots, ratio),
    )


def closed(held: PositionState, *, at: dt.datetime, proceeds: Decimal, exit_reason: str) -> PositionState:
    """Return `held` closed as a whole at `at` for `proceeds`, by something that is no fill."""
    return replace(
        held,
        quantity=ZERO,
        total_cost=ZERO,
        closed_quantity=held.opened_quantity,
        closed_proceeds=held.closed_proceeds + proceeds,
        realized_pnl=held.realized_pnl + realized_by(held.side, held.total_cost, proceeds),
        closed_at=at,
        exit_reason=exit_reason,
        lots=(),
    )


def realized_by(side: str, cost: Decimal, proceeds: Decimal) -> Decimal:
    """Return the profit: what came in less what went out; a short's cost came in first."""
    return cost - proceeds if side == Side.SHORT else proceeds - cost


def _stated(held: PositionState, fill: Fill) -> PositionState:
    if fill.leverage is None and fill.stop_loss_price is None and fill.target_price is None:
        return held
    return replace(
        held,
        leverage=held.leverage if fill.leverage is None else fill.leverage,
        stop_loss_price=held.stop_loss_price if fill.stop_loss_price is None else fill.stop_loss_price,
        target_price=held.target_price if fill.target_price is None else fill.target_price,
    )


def _lots(part: Part, basis: str) -> tuple[Lot, ...]:
    return () if basis == CostBasis.AVERAGE else (Lot(part.quantity, part.money),)
