"""The risk check between a signal and an order, pure: how much may be bought, or why nothing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import Final

from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from trading_engine.strategies import ENTRY_LONG, EXIT_LONG

__all__ = ["INVESTED_SHARE", "Refusal", "RiskGate", "Sizing"]

# The rest pays commissions and the gap between the close that sizes an order and the open that fills it.
INVESTED_SHARE: Final = Decimal("0.95")
ONE_SHARE: Final = Decimal(1)


class Refusal(StrEnum):
    """Why a signal became no order."""

    ALREADY_INVESTED = "already_invested"
    NOTHING_TO_SELL = "nothing_to_sell"
    ORDER_OPEN = "order_open"
    NO_PRICE = "no_price"
    NO_CASH = "no_cash"
    TOO_SMALL = "too_small"
    UNKNOWN_SIGNAL = "unknown_signal"


@dataclass(frozen=True, slots=True)
class Sizing:
    """
    The answer to a signal: an action and a whole number of shares, or a refusal.

    Attributes:
        action: buy or sell; "" when refused.
        quantity: 0 when refused.
        refusal: None when it may be traded.
    """

    action: str = ""
    quantity: Decimal = ZERO
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskGate:
    """
    Long or flat, whole shares, no debt, equity shared out equally.

    95 % of equity are divided equally over the slots, a slot being one strategy on one symbol; a buy
    spends at most its slot and at most 95 % of the cash that is free. A sell closes what is held.

    Attributes:
        slots: how many strategies times symbols share the book, at least 1.
        commission: what a fill costs, 0 or more.
        invested: share of equity that may be invested, above 0 and at most 1.
        entry_share: share of equity that one entry may take at most, of somebody's preferences; None is the slot's.
    """

    slots: int
    commission: Decimal = ZERO
    invested: Decimal = INVESTED_SHARE
    entry_share: Decimal | None = None

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise RejectedRecordError("slots", self.slots, "at least 1")
        if not ZERO < self.invested <= 1:
            raise RejectedRecordError("invested", self.invested, "above 0 and at most 1")
        if self.entry_share is not None and not ZERO < self.entry_share <= 1:
            raise RejectedRecordError("entry_share", self.entry_share, "above 0 and at most 1")

    def size(
        self,
        kind: str,
        *,
        price: Decimal,
        held: Decimal,
        order_open: bool,
        equity: Decimal,
        free_cash: Decimal,
        multiplier: Decimal = ONE_SHARE,
    ) -> Sizing:
        """
        Answer a signal.

        Args:
            kind: ENTRY_LONG or EXIT_LONG.
            price: close of the bar that gave the signal.
            held: quantity of the slot's position, 0 when flat.
            order_open: an order of the slot has not been filled yet.
            equity: cash and positions at their last close.
            free_cash: cash that no open order has claimed.
            multiplier: units of the underlying per unit of quantity.
        """
        if order_open:
            return Sizing(refusal=Refusal.ORDER_OPEN)
        if kind == EXIT_LONG:
            return Sizing("sell", held) if held > ZERO else Sizing(refusal=Refusal.NOTHING_TO_SELL)
        if kind != ENTRY_LONG:
            return Sizing(refusal=Refusal.UNKNOWN_SIGNAL)
        if held > ZERO:
            return Sizing(refusal=Refusal.ALREADY_INVESTED)
        share_price = CONTEXT.multiply(price, multiplier)
        if share_price <= ZERO:
            return Sizing(refusal=Refusal.NO_PRICE)
        return self._entry(share_price, equity=equity, free_cash=free_cash)

    def budget(self, equity: Decimal) -> Decimal:
        """Return what one entry may take of a book worth `equity`: its slot, or less by somebody's preferences."""
        slot = CONTEXT.divide(CONTEXT.multiply(equity, self.invested), Decimal(self.slots))
        return slot if self.entry_share is None else min(slot, CONTEXT.multiply(equity, self.entry_share))

    def free(self, free_cash: Decimal, *, fills: int) -> Decimal:
        """Return what an entry of so many fills may spend of the cash that no open order has claimed."""
        paid = CONTEXT.multiply(self.commission, Decimal(fills))
        return CONTEXT.multiply(CONTEXT.subtract(free_cash, paid), self.invested)

    def _entry(self, share_price: Decimal, *, equity: Decimal, free_cash: Decimal) -> Sizing:
        free = self.free(free_cash, fills=1)
        if free < share_price:
            return Sizing(refusal=Refusal.NO_CASH)
        budget = min(self.budget(equity), free)
        shares = CONTEXT.divide(budget, share_price).to_integral_value(rounding=ROUND_FLOOR)
        return Sizing("buy", shares) if shares >= ONE_SHARE else Sizing(refusal=Refusal.TOO_SMALL)
