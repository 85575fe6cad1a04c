"""What an open position is worth at a price: value, unrealised profit, margin, liquidation price."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from friren.core.numbers import CONTEXT, quantize
from portfolio_manager.accounting.entries import bounded, notional
from portfolio_manager.accounting.facts import InstrumentType
from portfolio_manager.accounting.positions import Side

__all__ = ["Mark", "average_price", "liquidation_distance", "mark"]


class Mark(msgspec.Struct, frozen=True):
    """
    A position at a price.

    Attributes:
        value: quantity × price × multiplier, negative for a short.
        unrealized_pnl: the profit if it were closed at this price, before commission.
        margin: of a leveraged position: cost / leverage.
        liquidation_price: of a leveraged position: where the loss equals its margin. No venue's
            maintenance margin is known here, so a venue liquidates somewhat earlier.
    """

    value: Decimal
    unrealized_pnl: Decimal
    margin: Decimal | None = None
    liquidation_price: Decimal | None = None


def average_price(money: Decimal, quantity: Decimal, multiplier: Decimal) -> Decimal | None:
    """Return money / (quantity × multiplier), the price per unit; None of nothing."""
    if not quantity:
        return None
    return quantize(CONTEXT.divide(money, CONTEXT.multiply(quantity, multiplier)))


def liquidation_distance(price: Decimal | None, liquidation_price: Decimal | None) -> Decimal | None:
    """
    Return how far the price is from the one of liquidation, as a share of the price, never negative.

    None of what cannot be liquidated, has no mark, or is marked at 0. Of a long it is the way down, of a short up.
    """
    if price is None or liquidation_price is None or not price:
        return None
    return quantize(CONTEXT.divide(CONTEXT.subtract(price, liquidation_price).copy_abs(), price.copy_abs()))


def mark(
    *,
    instrument_type: str,
    side: str,
    quantity: Decimal,
    total_cost: Decimal,
    price: Decimal,
    multiplier: Decimal,
    leverage: Decimal | None = None,
) -> Mark:
    """
    Return a position's mark at `price` (of a NO token: the price of that token).

    The equity of a book is the sum of its ledger, plus `value` of what was paid in full, plus
    `unrealized_pnl` of what is leveraged.
    """
    worth = notional(quantity, price, multiplier)
    short = side == Side.SHORT
    profit = CONTEXT.subtract(total_cost, worth) if short else CONTEXT.subtract(worth, total_cost)
    value = worth.copy_negate() if short else worth
    if instrument_type != InstrumentType.LEVERAGED or leverage is None or not quantity:
        return Mark(value, bounded("unrealized_pnl", profit))
    margin = quantize(CONTEXT.divide(total_cost.copy_abs(), leverage))
    # What closing must bring in (a short: cost) for the loss to be the whole margin.
    limit = CONTEXT.add(total_cost, margin) if short else CONTEXT.subtract(total_cost, margin)
    liquidation = quantize(CONTEXT.divide(limit, CONTEXT.multiply(quantity, multiplier)))
    return Mark(value, bounded("unrealized_pnl", profit), margin, bounded("liquidation_price", liquidation))
