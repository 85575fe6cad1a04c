"""The orders a trading cycle has sent and not seen filled, and the cash they have claimed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from friren.core.numbers import ZERO
from portfolio_manager.accounting import exact_sum
from trading_engine.backtesting import OrderTicket, StrategySignal

__all__ = ["OpenOrder", "OpenOrders"]


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """
    An order that the venue has or is about to get.

    Attributes:
        signal, signal_id: what it follows.
        claimed: cash it is expected to need; 0 for a sale, whose proceeds cannot be spent before they are there.
    """

    ticket: OrderTicket
    signal: StrategySignal
    signal_id: UUID
    claimed: Decimal = ZERO


class OpenOrders:
    """Open orders by their id."""

    def __init__(self) -> None:
        self._orders: dict[UUID, OpenOrder] = {}

    def add(self, order: OpenOrder) -> None:
        """Take an order that was stored."""
        self._orders[order.ticket.id] = order

    def close(self, order_id: UUID) -> OpenOrder:
        """Return an order that was filled or refused, and forget it. KeyError for one that is not open."""
        return self._orders.pop(order_id)

    def close_all(self) -> list[OpenOrder]:
        """Return every open order, in the order they were sent, and forget them."""
        orders = list(self._orders.values())
        self._orders.clear()
        return orders

    def of_slot(self, symbol: str, strategy: str) -> bool:
        """Return whether a strategy has an open order on a symbol."""
        return any(
            order.ticket.symbol == symbol and order.ticket.strategy == strategy for order in self._orders.values()
        )

    def of_trip(self, round_trip: UUID) -> list[OpenOrder]:
        """Return the open orders of a round trip."""
        return [order for order in self._orders.values() if order.ticket.round_trip == round_trip]

    @property
    def claimed(self) -> Decimal:
        """Cash that all open orders together are expected to need."""
        return exact_sum(order.claimed for order in self._orders.values())
