"""The fold: facts in order become positions, legs and ledger entries. Pure arithmetic, no database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from uuid import UUID

from friren.core.numbers import CONTEXT, ZERO, quantize
from portfolio_manager.accounting.entries import (
    Entry,
    EntryKind,
    bounded,
    cash_entry,
    entry,
    fill_entries,
    notional,
    total_of,
)
from portfolio_manager.accounting.facts import (
    ONE,
    Cash,
    CostBasis,
    Dividend,
    Fact,
    Fill,
    Instrument,
    InstrumentType,
    PositionMode,
    Resolution,
    Split,
)
from portfolio_manager.accounting.positions import Leg, PositionState, Role, Side, leg_id
from portfolio_manager.accounting.routing import MINTS, Route, route
from portfolio_manager.accounting.transitions import Part, closed, increased, opened, realized_by, reduced, split_by

__all__ = ["Effect", "Fold"]

_SUMS = ("quantity", "total_cost", "opened_quantity", "opened_cost", "closed_proceeds", "realized_pnl", "commission")


@dataclass(slots=True)
class Effect:
    """What facts did: positions by id in their last state, legs and ledger entries in order."""

    positions: dict[UUID, PositionState] = field(default_factory=dict)
    legs: list[Leg] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)


class Fold:
    """
    A book being folded: give it facts in the order of `fold_key`, read what is held in between.

    The result depends on the facts alone. Start it from `opening` positions to resume a book.

    Args:
        cost_basis: AVERAGE, FIFO or LIFO.
        position_mode: NETTING or HEDGING.
        base_currency: of the book; instruments that name none are in it.
        opening: open positions to resume from.
    """

    def __init__(
        self,
        *,
        cost_basis: str = CostBasis.AVERAGE,
        position_mode: str = PositionMode.NETTING,
        base_currency: str = "USD",
        opening: Iterable[PositionState] = (),
    ) -> None:
        self._basis = CostBasis(cost_basis)
        self._mode = PositionMode(position_mode)
        self._base = base_currency
        # (type, key) of the instrument → (strategy, slot) → the open position
        self._open: dict[tuple[str, int | str], dict[tuple[str, str], PositionState]] = {}
        for position in opening:
            self._book(position.instrument)[position.strategy, position.slot] = position

    def open_positions(self) -> Iterator[PositionState]:
        """Yield what is held now."""
        for book in self._open.values():
            yield from book.values()

    def apply(self, fact: Fact) -> Effect:
        """
        Fold one fact in and return what it did; a refused fact changes nothing.

        Raises:
            RejectedRecordError: a sum would reach 1e20.
        """
        effect = Effect()
        with localcontext(CONTEXT):
            if isinstance(fact, Fill):
                self._fill(fact, effect)
            elif isinstance(fact, Cash):
                effect.entries.append(cash_entry(fact, self._base))
            elif isinstance(fact, Split):
                self._split(fact, effect)
            elif isinstance(fact, Dividend):
                self._dividend(fact, effect)
            else:
                self._resolve(fact, effect)
        self._keep(effect)
        return effect

    def _fill(self, fill: Fill, effect: Effect) -> None:
        to = route(fill, self._book(fill.instrument), self._mode)
        whole = Part(fill.quantity, total_of(fill), self._own_commission(fill))
        effect.entries.extend(fill_entries(fill, self._base))
        if to.closing is None:
            self._add(fill, to, whole, effect, number=0)
        elif fill.quantity <= to.closing.quantity:
            self._reduce(fill, to.closing, whole, effect)
        else:
            first = self._first_part(fill, whole, to.closing.quantity)
            rest = Part(whole.quantity - first.quantity, whole.money - first.money, whole.commission - first.commission)
            self._reduce(fill, to.closing, first, effect)
            self._add(fill, to, rest, effect, number=1)

    def _first_part(self, fill: Fill, whole: Part, quantity: Decimal) -> Part:
        """Return the part of a fill that crosses zero which closes; the other leg gets what is left of each sum."""
        if fill.amount is not None and fill.instrument.type == InstrumentType.PREDICTION:
            money = quantize(whole.money * quantity / whole.quantity)
        else:
            money = notional(quantity, fill.price, fill.instrument.multiplier)
        return Part(quantity, money, quantize(whole.commission * quantity / whole.quantity))

    def _own_commission(self, fill: Fill) -> Decimal:
        own = self._currency(fill.instrument)
        return (fill.commission or ZERO) if (fill.commission_currency or own) == own else ZERO

    def _add(self, fill: Fill, to: Route, part: Part, effect: Effect, *, number: int) -> None:
        minted = fill.action in MINTS
        if minted:
            # A pair is bought for 1 and one token sold, so the other was had for 1 − price.
            part = Part(part.quantity, part.quantity - part.money, part.commission)
        held = self._book(fill.instrument).get((fill.strategy, to.slot))
        if held is None or held is to.closing:
            role, position = Role.OPEN, opened(fill, to, part, self._basis)
        else:
            role, position = Role.INCREASE, increased(held, fill, part, self._basis)
        if minted:
            currency, paid = self._currency(fill.instrument), part.quantity.copy_negate()
            effect.entries.append(entry(fill, EntryKind.SETTLEMENT, currency, paid, position=position.id))
        self._leg(fill, position, role, part, effect, number=number)

    def _reduce(self, fill: Fill, held: PositionState, part: Part, effect: Effect) -> None:
        position, cost = reduced(held, fill, part, self._basis)
        realized = realized_by(held.side, cost, part.money)
        self._realize(fill, position, realized, effect)
        role = Role.REDUCE if position.quantity else Role.CLOSE
        self._leg(fill, position, role, Part(part.quantity, cost, part.commission), effect, realized=realized)

    def _split(self, split: Split, effect: Effect) -> None:
        for held in self._held((InstrumentType.EQUITY, InstrumentType.LEVERAGED), split.symbol):
            position = split_by(held, split.ratio)
            change = Part((position.quantity - held.quantity).copy_abs(), ZERO, ZERO)
            realized = ZERO
            if not position.quantity:
                # A reverse split that leaves less than the smallest unit: the cost is lost (a short's is won).
                position = closed(held, at=split.at, proceeds=ZERO, exit_reason="OTHER")
                change = Part(held.quantity, held.total_cost, ZERO)
                realized = realized_by(held.side, held.total_cost, ZERO)
                self._realize(split, position, realized, effect)
            self._leg(split, position, Role.SPLIT, change, effect, realized=realized)

    def _dividend(self, dividend: Dividend, effect: Effect) -> None:
        for held in self._held((InstrumentType.EQUITY,), dividend.symbol):
            amount = notional(held.quantity, dividend.amount, ONE)
            signed = amount.copy_negate() if held.side == Side.SHORT else amount
            currency = dividend.currency or self._currency(held.instrument)
            effect.entries.append(entry(dividend, EntryKind.DIVIDEND, currency, signed, position=held.id))

    def _resolve(self, resolution: Resolution, effect: Effect) -> None:
        for held in self._held((InstrumentType.PREDICTION,), resolution.market):
            payout = resolution.yes_payout if held.side == Side.YES else ONE - resolution.yes_payout
            paid = notional(held.quantity, payout, ONE)
            position = closed(held, at=resolution.at, proceeds=paid, exit_reason="RESOLUTION")
            currency = self._currency(held.instrument)
            effect.entries.append(entry(resolution, EntryKind.SETTLEMENT, currency, paid, position=held.id))
            change, realized = Part(held.quantity, held.total_cost, ZERO), realized_by(held.side, held.total_cost, paid)
            self._leg(resolution, position, Role.RESOLVE, change, effect, realized=realized)

    def _realize(self, fact: Fill | Split, position: PositionState, realized: Decimal, effect: Effect) -> None:
        """Pay a leveraged position's profit into cash; elsewhere the fills themselves move all of it."""
        if position.instrument.type == InstrumentType.LEVERAGED:
            currency = self._currency(position.instrument)
            effect.entries.append(entry(fact, EntryKind.REALIZED, currency, realized, position=position.id))

    def _leg(
        self,
        fact: Fill | Split | Resolution,
        position: PositionState,
        role: Role,
        change: Part,
        effect: Effect,
        *,
        number: int = 0,
        realized: Decimal = ZERO,
    ) -> None:
        for name in _SUMS:
            bounded(name, getattr(position, name))
        effect.positions[position.id] = position
        effect.legs.append(
            Leg(
                id=leg_id(role, fact.id, position.id, number),
                position=position.id,
                source=fact.id,
                source_kind=fact.source_kind,
                number=number,
                role=role,
                at=fact.at,
                quantity=change.quantity,
                cost=change.money,
                realized_pnl=realized,
                commission=change.commission,
                quantity_after=position.quantity,
                total_cost_after=position.total_cost,
                realized_pnl_after=position.realized_pnl,
                lots_after=position.lots,
            )
        )

    def _keep(self, effect: Effect) -> None:
        for position in effect.positions.values():
            book, key = self._book(position.instrument), (position.strategy, position.slot)
            if position.quantity:
                book[key] = position
            else:
                del book[key]

    def _book(self, instrument: Instrument) -> dict[tuple[str, str], PositionState]:
        return self._open.setdefault((instrument.type, instrument.key), {})

    def _held(self, types: tuple[InstrumentType, ...], key: int | str) -> list[PositionState]:
        return [position for kind in types for position in self._open.get((kind, key), {}).values()]

    def _currency(self, instrument: Instrument) -> str:
        return instrument.currency or self._base
