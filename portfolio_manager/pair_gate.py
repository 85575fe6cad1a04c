"""How much of each symbol an entry on a pair takes, pure: the risk check between a signal on a pair and its orders."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from friren.core.numbers import CONTEXT, ZERO
from portfolio_manager.risk_gate import ONE_SHARE, Refusal, RiskGate
from trading_engine.data.bars import measured

__all__ = ["PairSizing", "size_pair"]

LEGS = 2


@dataclass(frozen=True, slots=True)
class PairSizing:
    """The answer to an entry: (action, quantity) of either symbol, or a refusal."""

    legs: tuple[tuple[str, Decimal], ...] = ()
    refusal: Refusal | None = None


def size_pair(
    gate: RiskGate,
    *,
    long: bool,
    hedge_ratio: float,
    unit_prices: tuple[Decimal, Decimal],
    equity: Decimal,
    free_cash: Decimal,
) -> PairSizing:
    """
    Size an entry: q units of the first symbol and |hedge_ratio| × q of the second, whole units of both.

    Both legs together, bought or sold short, cost no more than one entry may take: what is sold short ties up as much
    as what is bought. Long of the spread buys the first symbol and sells the second (buys it where the ratio is
    negative).

    Args:
        gate: what one entry may take.
        long: of the spread, else short.
        hedge_ratio: units of the second symbol per unit of the first; a measurement.
        unit_prices: price × multiplier of either.
        equity, free_cash: as for `RiskGate.size`.
    """
    if min(unit_prices) <= ZERO:
        return PairSizing(refusal=Refusal.NO_PRICE)
    ratio = measured(hedge_ratio)
    free = gate.free(free_cash, fills=LEGS)
    unit = CONTEXT.add(unit_prices[0], CONTEXT.multiply(abs(ratio), unit_prices[1]))
    if free < unit:
        return PairSizing(refusal=Refusal.NO_CASH)
    budget = min(gate.budget(equity), free)
    first = CONTEXT.divide(budget, unit).to_integral_value(rounding=ROUND_FLOOR)
    second = CONTEXT.multiply(first, abs(ratio)).to_integral_value(rounding=ROUND_HALF_EVEN)
    # Rounded up, the second leg may take more than there is.
    while first > ZERO and _cost(first, second, unit_prices) > budget:
        first = CONTEXT.subtract(first, ONE_SHARE)
        second = CONTEXT.multiply(first, abs(ratio)).to_integral_value(rounding=ROUND_HALF_EVEN)
    if min(first, second) < ONE_SHARE:
        return PairSizing(refusal=Refusal.TOO_SMALL)
    buys_second = long if ratio < ZERO else not long
    return PairSizing((("buy" if long else "short", first), ("buy" if buys_second else "short", second)))


def _cost(first: Decimal, second: Decimal, unit_prices: tuple[Decimal, Decimal]) -> Decimal:
    return CONTEXT.add(CONTEXT.multiply(first, unit_prices[0]), CONTEXT.multiply(second, unit_prices[1]))
