"""The simulated venue: every order is filled at the next open of its symbol."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from friren.core.numbers import ZERO
from friren.errors import RejectedRecordError
from trading_engine.backtesting.events import OrderTicket, VenueFill

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["NextOpenVenue"]


class NextOpenVenue:
    """
    Fill market orders whole, at the raw open of the symbol's next bar, for a fixed commission.

    An order of a symbol whose bars have ended stays open; nothing is filled at a price nobody has seen.
    """

    def __init__(self, *, commission: Decimal = Decimal(1)) -> None:
        """
        Args:
            commission: per fill, in the currency of the instrument, 0 or more.

        Raises:
            RejectedRecordError: the commission is negative or no Decimal.
        """
        if not isinstance(commission, Decimal) or not commission.is_finite() or commission < ZERO:
            raise RejectedRecordError("commission", commission, "a Decimal, 0 or more")
        self._commission = commission
        self._open: dict[str, list[OrderTicket]] = {}

    @property
    def open_orders(self) -> tuple[OrderTicket, ...]:
        """What was submitted and is not filled yet."""
        return tuple(ticket for tickets in self._open.values() for ticket in tickets)

    def submit(self, ticket: OrderTicket) -> None:
        """Take an order for the next bar of its symbol."""
        self._open.setdefault(ticket.symbol, []).append(ticket)

    def on_open(self, bar: Bar) -> list[VenueFill]:
        """Return the fills of all open orders of the bar's symbol."""
        return [
            VenueFill(ticket=ticket, price=bar.open, commission=self._commission, executed_at=bar.timestamp)
            for ticket in self._open.pop(bar.symbol, ())
        ]
