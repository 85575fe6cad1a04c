"""What a trading cycle trades on: its own fold of the account's facts, in memory, never the database."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from friren.accounts import BOOKS_BEGIN, AccountHandle
from friren.core.ids import natural_id
from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from portfolio_manager.accounting import (
    Cash,
    Fact,
    Fill,
    Fold,
    InstrumentType,
    Mark,
    PositionMode,
    PositionState,
    Side,
    exact_sum,
    mark,
)
from portfolio_manager.analytics import RoundTrip

__all__ = ["TradingBook", "opening_deposit"]


def opening_deposit(account: AccountHandle, amount: Decimal) -> Cash:
    """Return the movement that every account begins with, as `friren.open_account` stores it."""
    return Cash(
        id=natural_id("cash_movement", account.id, "opening deposit"),
        at=BOOKS_BEGIN,
        kind="DEPOSIT",
        currency=account.base_currency,
        amount=amount,
    )


class TradingBook:
    """
    Cash, positions and marks of one account, by the same arithmetic as the stored books.

    Reading it costs no query, so a database that is slow or away does not change what is traded.

    Attributes:
        realized, commission: of all positions, since the book began; commission is not in `realized`.
        fills: how many were folded in.
    """

    def __init__(self, *, base_currency: str = "USD", position_mode: str = PositionMode.NETTING) -> None:
        """
        Args:
            base_currency: of the account; cash in other currencies is kept apart and buys nothing.
            position_mode: of the account.
        """
        self._fold = Fold(base_currency=base_currency, position_mode=position_mode)
        self._currency = base_currency
        self._balances: dict[str, Decimal] = {}
        self._positions: dict[UUID, PositionState] = {}
        self._closes: dict[int | str, Decimal] = {}
        self.realized = self.commission = ZERO
        self.fills = 0

    @property
    def cash(self) -> Decimal:
        """The balance in the base currency: the sum of its ledger."""
        return self._balances.get(self._currency, ZERO)

    def apply(self, fact: Fact) -> None:
        """
        Fold one fact in; facts come in the order of time.

        Raises:
            RejectedRecordError: a sum would reach 1e20.
        """
        effect = self._fold.apply(fact)
        for line in effect.entries:
            self._balances[line.currency] = CONTEXT.add(self._balances.get(line.currency, ZERO), line.amount)
        for key, position in effect.positions.items():
            before = self._positions.get(key)
            realized, commission = (before.realized_pnl, before.commission) if before else (ZERO, ZERO)
            self.realized = exact_sum((self.realized, position.realized_pnl, realized.copy_negate()))
            self.commission = exact_sum((self.commission, position.commission, commission.copy_negate()))
            self._positions[key] = position
        self.fills += isinstance(fact, Fill)

    def take_close(self, symbol: str, close: Decimal) -> None:
        """Take the last close of a symbol."""
        self._closes[symbol] = close

    def held(self, symbol: str, strategy: str) -> Decimal:
        """Return the quantity a strategy holds long of a symbol, 0 when it holds none."""
        for position in self._fold.open_positions():
            if position.instrument.key == symbol and position.strategy == strategy and position.side == Side.LONG:
                return position.quantity
        return ZERO

    def legs_of(self, round_trip: UUID) -> list[PositionState]:
        """Return what is held of a round trip."""
        return [position for position in self._fold.open_positions() if position.round_trip == round_trip]

    def open_positions(self) -> list[PositionState]:
        """Return what is held now."""
        return list(self._fold.open_positions())

    def positions(self) -> list[PositionState]:
        """Return every position there was, open and closed, in the order they were opened."""
        return list(self._positions.values())

    def mark(self, position: PositionState) -> Mark:
        """
        Return value and unrealised profit of a position at the last close of its symbol.

        Raises:
            RejectedRecordError: the symbol has no close yet.
        """
        close = self._closes.get(position.instrument.key)
        if close is None:
            raise RejectedRecordError("symbol", position.instrument.key, "a symbol of which a close was taken")
        return mark(
            instrument_type=position.instrument.type,
            side=position.side,
            quantity=position.quantity,
            total_cost=position.total_cost,
            price=close,
            multiplier=position.instrument.multiplier,
            leverage=position.leverage,
        )

    def values(self) -> dict[int | str, Decimal]:
        """Return the market value of what is held, by symbol; short is negative."""
        values: dict[int | str, Decimal] = {}
        for position in self._fold.open_positions():
            key = position.instrument.key
            values[key] = CONTEXT.add(values.get(key, ZERO), self.mark(position).value)
        return values

    def equity(self) -> Decimal:
        """Return cash, the value of what was paid in full, and the profit of what is leveraged."""
        return CONTEXT.add(self.cash, exact_sum(self._worth(position) for position in self._fold.open_positions()))

    def round_trips(self) -> list[RoundTrip]:
        """Return every position as a round trip, open ones at their last close; the legs of a pair are one together."""
        trips: dict[UUID, list[PositionState]] = {}
        for position in self._positions.values():
            together = position.round_trip if position.pair is not None and position.round_trip else position.id
            trips.setdefault(together, []).append(position)
        return [self._trip(legs) for legs in trips.values()]

    def _trip(self, legs: list[PositionState]) -> RoundTrip:
        first, ends = legs[0], [leg.closed_at for leg in legs if leg.closed_at is not None]
        return RoundTrip(
            symbol=str(first.instrument.key if first.pair is None else first.pair),
            strategy=first.strategy,
            regime=first.regime_at_entry,
            opened_at=min(leg.opened_at for leg in legs),
            closed_at=max(ends) if len(ends) == len(legs) else None,
            realized_pnl=exact_sum(leg.realized_pnl for leg in legs),
            unrealized_pnl=exact_sum(self.mark(leg).unrealized_pnl for leg in legs if leg.quantity),
            commission=exact_sum(leg.commission for leg in legs),
        )

    def _worth(self, position: PositionState) -> Decimal:
        marked = self.mark(position)
        leveraged = position.instrument.type == InstrumentType.LEVERAGED
        return marked.unrealized_pnl if leveraged else marked.value
