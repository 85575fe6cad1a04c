"""The trading cycle with pairs: one signal, an order for each leg, one round trip of two positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.core.ids import new_id
from friren.core.numbers import CONTEXT, ZERO, plain
from portfolio_manager.accounting import Fill, Side, exact_sum, notional
from portfolio_manager.open_orders import OpenOrder
from portfolio_manager.orchestrator import NO_CASH_AT_OPEN, TradingCycle
from portfolio_manager.pair_gate import size_pair
from portfolio_manager.risk_gate import Refusal
from trading_engine.backtesting import OrderTicket, PairSignal, StrategySignal, VenueFill
from trading_engine.strategies import ENTRY_LONG

__all__ = ["PairCycle"]

OTHER_LEG_REFUSED: Final = "other_leg_refused"
ENTRY: Final = "ENTRY_"


@dataclass(slots=True)
class _Trip:
    """A round trip on a pair. Its entry is refused as a whole, at its first fill, or not at all."""

    id: UUID
    signal: PairSignal
    filled: bool = False
    refused: bool = False

    @property
    def enters(self) -> bool:
        """Whether the orders that are open are those of its entry."""
        return self.signal.kind.startswith(ENTRY)


class PairCycle(TradingCycle):
    """
    A trading cycle that also trades pairs. Its account hedges: every round trip has positions of its own, so pairs that
    have a symbol in common do not offset each other.
    """

    def __init__(self, **cycle: Any) -> None:
        """Take what `TradingCycle` takes."""
        super().__init__(**cycle)
        self._trips: dict[tuple[tuple[str, str], str], _Trip] = {}
        self._by_id: dict[UUID, _Trip] = {}

    def on_pair_signal(self, signal: PairSignal) -> Sequence[OrderTicket]:
        """Store a signal on a pair; answer with an order for each leg, or with none and a counted reason."""
        signal_id = self._log_pair_signal(signal)
        trip = self._trips.get((signal.symbols, signal.strategy))
        legs = () if trip is None else self.book.legs_of(trip.id)
        if trip is not None and self._open.of_trip(trip.id):
            return self._refuse_pair(Refusal.ORDER_OPEN, signal, signal_id)
        if not signal.kind.startswith(ENTRY):
            if trip is None or not legs:
                return self._refuse_pair(Refusal.NOTHING_TO_SELL, signal, signal_id)
            trip.signal, trip.filled = signal, False
            wanted = [
                (str(leg.instrument.key), "sell" if leg.side == Side.LONG else "cover", leg.quantity) for leg in legs
            ]
            return list(self._order(trip, wanted, signal_id))
        if legs:
            return self._refuse_pair(Refusal.ALREADY_INVESTED, signal, signal_id)
        sizing = size_pair(
            self._is.gate,
            long=signal.kind == ENTRY_LONG,
            hedge_ratio=signal.hedge_ratio,
            unit_prices=tuple(  # type: ignore[arg-type]  # two symbols have two prices
                CONTEXT.multiply(price, self._multiplier(symbol))
                for symbol, price in zip(signal.symbols, signal.prices, strict=True)
            ),
            equity=self.book.equity(),
            free_cash=self._free_cash(),
        )
        if sizing.refusal is not None:
            return self._refuse_pair(sizing.refusal, signal, signal_id)
        trip = self._trips[signal.symbols, signal.strategy] = _Trip(new_id(), signal)
        self._by_id[trip.id] = trip
        wanted = [(symbol, *leg) for symbol, leg in zip(signal.symbols, sizing.legs, strict=True)]
        return list(self._order(trip, wanted, signal_id))

    def on_fill(self, fill: VenueFill) -> None:
        """
        Store and book a fill, as `TradingCycle` does; of a leg, with its pair and round trip.

        An entry that the open has made dearer than the cash there is is refused at its first fill, both legs of it.
        Its second fill is taken whatever it costs: half a pair is a risk that nobody wanted.
        """
        trip = self._by_id.get(fill.ticket.round_trip) if fill.ticket.round_trip else None
        if trip is None:
            super().on_fill(fill)
            return
        order = self._open.close(fill.ticket.id)
        fact = self._leg(trip, fill)
        if trip.enters and not trip.filled and (refusal := self._unpayable(trip, fact)):
            trip.refused = True
            self._drop(order, "rejected", *refusal, fill.executed_at)
            return
        self._record(fill, fact, order, pair=trip.signal.symbols, round_trip=trip.id)
        if not trip.filled:
            # A signal has one trade: the first of its legs. The other one has its order and the round trip.
            self._signals.mark_executed(order.signal_id, fact.id, timestamp=fact.executed_at)
            trip.filled = True

    def _unpayable(self, trip: _Trip, fact: Fill) -> tuple[str, str] | None:
        """Return why an entry cannot be paid at its first fill, by its name and in words; None when it can."""
        if trip.refused:
            return OTHER_LEG_REFUSED, "the other leg of the pair was refused"
        others = exact_sum(order.claimed for order in self._open.of_trip(trip.id))
        left = CONTEXT.subtract(CONTEXT.add(self.book.cash, self._change_of_cash(fact)), others)
        if left >= ZERO:
            return None
        return NO_CASH_AT_OPEN, f"at the open of {plain(fact.price)} the pair costs more than the cash there is"

    def _leg(self, trip: _Trip, fill: VenueFill) -> Fill:
        return Fill(
            id=new_id(),
            executed_at=fill.executed_at,
            instrument=self._is.instruments[fill.ticket.symbol],
            action=fill.ticket.action,
            quantity=fill.ticket.quantity,
            price=fill.price,
            strategy=fill.ticket.strategy,
            commission=fill.commission,
            exit_reason=trip.signal.reason,
            regime_at_entry=trip.signal.regime,
            round_trip=trip.id,
            pair="/".join(trip.signal.symbols),
        )

    def _order(self, trip: _Trip, wanted: Sequence[tuple[str, str, Decimal]], signal_id: UUID) -> Iterator[OrderTicket]:
        """Store an order for each leg before any of them is sent."""
        signal = trip.signal
        for symbol, action, quantity in wanted:
            ticket = OrderTicket(
                id=new_id(),
                symbol=symbol,
                strategy=signal.strategy,
                action=action,
                quantity=quantity,
                requested_at=signal.timestamp,
                round_trip=trip.id,
            )
            self._orders.log_order(
                order_id=ticket.id,
                symbol=symbol,
                pair=signal.symbols,
                action=action,
                quantity=quantity,
                timestamp=ticket.requested_at,
                signal=signal_id,
                strategy_used=ticket.strategy,
                round_trip=trip.id,
                reasoning=signal.reasoning,
                venue=self._is.venue,
            )
            of_leg = _signal_of_leg(signal, symbol)
            self._open.add(OpenOrder(ticket, of_leg, signal_id, self._claim(ticket, of_leg.price)))
            self.orders += 1
            yield ticket

    def _free_cash(self) -> Decimal:
        """Return the cash that no order has claimed and nothing that is sold short ties up."""
        short = exact_sum(min(self.book.mark(held).value, ZERO) for held in self.book.positions() if held.quantity)
        # Once for the proceeds, which are in the cash and are owed, and once for the security.
        tied = CONTEXT.multiply(short, Decimal(2))
        return CONTEXT.subtract(CONTEXT.add(self.book.cash, tied), self._open.claimed)

    def _claim(self, ticket: OrderTicket, price: Decimal) -> Decimal:
        """Return what an order is expected to need; a short sale needs its security."""
        if ticket.action != "short":
            return super()._claim(ticket, price)
        return CONTEXT.add(notional(ticket.quantity, price, self._multiplier(ticket.symbol)), self._is.gate.commission)

    def _refuse_pair(self, reason: str, signal: PairSignal, signal_id: UUID) -> list[OrderTicket]:
        self._signals.mark_processed(signal_id, timestamp=signal.timestamp)
        self._refuse(reason, _signal_of_leg(signal, signal.symbols[0]))
        return []

    def _log_pair_signal(self, signal: PairSignal) -> UUID:
        interval = self._intervals.get(signal.symbols[0])
        return self._signals.log_signal(
            pair=signal.symbols,
            strategy_name=signal.strategy,
            signal_type=signal.kind,
            timestamp=signal.timestamp,
            z_score=signal.z_score,
            spread_value=signal.spread,
            confidence_score=signal.confidence,
            reasoning=signal.reasoning,
            regime=interval[1] if interval else None,
            extra={
                "indicators": dict(signal.indicators),
                "regime": signal.regime,
                "closes": [plain(price) for price in signal.prices],
            },
        ).id


def _signal_of_leg(signal: PairSignal, symbol: str) -> StrategySignal:
    """Return what a signal on a pair says of one of its symbols."""
    return StrategySignal(
        strategy=signal.strategy,
        symbol=symbol,
        timestamp=signal.timestamp,
        kind=signal.kind,
        price=signal.prices[signal.symbols.index(symbol)],
        confidence=signal.confidence,
        reasoning=signal.reasoning,
        indicators=signal.indicators,
        regime=signal.regime,
    )
