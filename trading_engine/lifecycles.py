"""The state machines of orders and trades: which move may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from friren.errors import InvalidTransitionError
from trading_engine.models.choices import OrderStatus, TradeStatus

__all__ = ["ORDER_MOVES", "TRADE_MOVES", "VENUE_TOLD", "check_move"]

# In the payload of an order's event: the columns of the order that the venue told with it.
VENUE_TOLD: Final = "_order"

ORDER_MOVES: Final[Mapping[str, frozenset[str]]] = {
    OrderStatus.PENDING: frozenset(
        {
            OrderStatus.SUBMITTED,
            OrderStatus.REJECTED,
            OrderStatus.CANCELLED,
            OrderStatus.EXPIRED,
            OrderStatus.PARTIALLY_FILLED,
            OrderStatus.FILLED,
        }
    ),
    OrderStatus.SUBMITTED: frozenset(
        {
            OrderStatus.PARTIALLY_FILLED,
            OrderStatus.FILLED,
            OrderStatus.CANCELLED,
            OrderStatus.REJECTED,
            OrderStatus.EXPIRED,
        }
    ),
    OrderStatus.PARTIALLY_FILLED: frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED}),
}
TRADE_MOVES: Final[Mapping[str, frozenset[str]]] = {
    TradeStatus.FILLED: frozenset({TradeStatus.SETTLED, TradeStatus.BUSTED}),
    TradeStatus.SETTLED: frozenset({TradeStatus.BUSTED}),
}


def check_move(moves: Mapping[str, frozenset[str]], *, held: str, wanted: str) -> None:
    """
    Refuse a move that the state machine does not have.

    Raises:
        InvalidTransitionError: `wanted` cannot follow `held`.
    """
    possible = moves.get(held, frozenset())
    if wanted not in possible:
        following = ", ".join(sorted(possible)) or "nothing"
        raise InvalidTransitionError("status", wanted, f"{following} can follow {held}")
