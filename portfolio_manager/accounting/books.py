"""Whole books: the fold of a set of facts, in whatever order they are given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from friren.core.numbers import CONTEXT, ZERO
from portfolio_manager.accounting.entries import Entry
from portfolio_manager.accounting.facts import CostBasis, Fact, PositionMode, fold_key
from portfolio_manager.accounting.fold import Fold
from portfolio_manager.accounting.positions import Leg, PositionState

__all__ = ["Books", "exact_sum", "fold"]


@dataclass(frozen=True, slots=True)
class Books:
    """
    Everything that a set of facts amounts to.

    Attributes:
        positions: open and closed, in the order in which they were opened.
        legs: the effects of facts on positions, in the order of the facts.
        entries: the ledger, in the order of the facts.
    """

    positions: tuple[PositionState, ...]
    legs: tuple[Leg, ...]
    entries: tuple[Entry, ...]

    @property
    def balances(self) -> dict[str, Decimal]:
        """Cash by currency: the sums of the ledger."""
        totals: dict[str, Decimal] = {}
        for line in self.entries:
            totals[line.currency] = CONTEXT.add(totals.get(line.currency, ZERO), line.amount)
        return totals

    @property
    def realized_pnl(self) -> Decimal:
        """Profit of everything that was closed, before commission and dividends."""
        return exact_sum(position.realized_pnl for position in self.positions)


def exact_sum(values: Iterable[Decimal]) -> Decimal:
    """Return the sum without the 28 digits of Python's default context."""
    total = ZERO
    for value in values:
        total = CONTEXT.add(total, value)
    return total


def fold(
    facts: Iterable[Fact],
    *,
    cost_basis: str = CostBasis.AVERAGE,
    position_mode: str = PositionMode.NETTING,
    base_currency: str = "USD",
) -> Books:
    """
    Return the books of a set of facts; the order in which they are given does not matter.

    Args:
        facts: fills, cash movements, splits, dividends, resolutions; busted trades left out.
        cost_basis: AVERAGE, FIFO or LIFO.
        position_mode: NETTING or HEDGING.
        base_currency: of instruments that name no currency.

    Raises:
        RejectedRecordError: a sum would reach 1e20.
    """
    folding = Fold(cost_basis=cost_basis, position_mode=position_mode, base_currency=base_currency)
    positions: dict[UUID, PositionState] = {}
    legs: list[Leg] = []
    entries: list[Entry] = []
    for fact in sorted(facts, key=fold_key):
        effect = folding.apply(fact)
        positions.update(effect.positions)
        legs.extend(effect.legs)
        entries.extend(effect.entries)
    return Books(tuple(positions.values()), tuple(legs), tuple(entries))
