"""
The trading cycle: bar → regime → signal → risk check → order → fill → books → marks → risk snapshot.

The event loop (or a live feed) calls it in that order; it keeps the books. It decides on its own fold
in memory and never on the database, and it records every fact before anything follows from it.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.accounts import AccountHandle
from friren.core.ids import new_id
from friren.core.numbers import CONTEXT, ZERO, plain
from portfolio_manager.accounting import Fill, Instrument, exact_sum, fill_entries, notional
from portfolio_manager.booking.marking import mark_books
from portfolio_manager.daily_risk import DailyRisk, RiskSnapshot
from portfolio_manager.data_logger import PortfolioTracker, RiskLogger
from portfolio_manager.open_orders import OpenOrder, OpenOrders
from portfolio_manager.risk_gate import RiskGate
from portfolio_manager.trade_evidence import model_evidence
from portfolio_manager.trading_book import TradingBook, opening_deposit
from trading_engine.backtesting import OrderTicket, StrategySignal, VenueFill
from trading_engine.data.bars import Bar
from trading_engine.regime import RegimeReading
from trading_engine.regime_intervals import interval_id
from trading_engine.services import RegimeLogger, SignalLogger, TradeLogger

__all__ = ["CycleSettings", "TradingCycle"]

log = logging.getLogger(__name__)

# Snapshots of days are telemetry and are stored together; at most this many wait in memory.
RISK_BATCH: Final = 250
# Why an order became no trade; RiskGate says why a signal became no order.
NO_CASH_AT_OPEN: Final = "no_cash_at_open"
NO_NEXT_BAR: Final = "no_next_bar"


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleSettings:
    """
    What a cycle trades by.

    Attributes:
        gate: sizes orders.
        starting_cash: what the account was opened with, in its base currency.
        venue: name stored with orders and trades.
        detectors: name of the regime detector by symbol.
        instruments: what is traded, by symbol.
    """

    gate: RiskGate
    starting_cash: Decimal
    venue: str
    detectors: Mapping[str, str]
    instruments: Mapping[str, Instrument]


class TradingCycle:
    """
    A sink of the event loop that keeps one account's books.

    Attributes:
        book: the fold in memory.
        closes: last close by symbol.
        equity: value at the close of each day.
        refusals: signals that became no trade, by reason.
        orders, trades, risk_days: how many orders, fills and daily snapshots were stored.
    """

    def __init__(self, *, account: AccountHandle, settings: CycleSettings, simulated: bool = False) -> None:
        """
        Args:
            account: new books, with nothing in them but the opening deposit.
            settings: see CycleSettings.
            simulated: facts are appended to this machine's journal and stored in the background, and need not survive a
                power cut: the run can be repeated. Otherwise each is committed before what follows from it.
        """
        self._is = settings
        self._account = account
        mode, durability = ("journal", "os") if simulated else ("direct", None)
        self._signals = SignalLogger(account=account, mode=mode, durability=durability)
        self._regimes = RegimeLogger(account=account, mode=mode, durability=durability)
        self._orders = TradeLogger(account=account, mode=mode, durability=durability)
        self._tracker = PortfolioTracker(account=account, mode=mode, durability=durability)
        self._risks = RiskLogger(account=account, mode=mode, durability=durability)
        self._risk = DailyRisk(starting_value=settings.starting_cash)
        self._open = OpenOrders()
        self._intervals: dict[str, tuple[str, UUID]] = {}
        self._unsaved: list[RiskSnapshot] = []
        self.book = TradingBook(base_currency=account.base_currency, position_mode=account.position_mode)
        self.book.apply(opening_deposit(account, settings.starting_cash))
        self.closes: dict[str, Decimal] = {}
        self.equity: list[tuple[dt.datetime, Decimal]] = []
        self.refusals: Counter[str] = Counter()
        self.orders = self.trades = self.risk_days = 0

    # What the event loop calls

    def on_bars(self, bars: Sequence[Bar]) -> None:
        """Take the closes of a timestamp."""
        for bar in bars:
            self.book.take_close(bar.symbol, bar.close)
            self.closes[bar.symbol] = bar.close

    def on_regime(self, symbol: str, reading: RegimeReading) -> None:
        """Store a change of regime, of this account alone: a backtest never moves the live regime."""
        figures, detector = reading.indicators, self._is.detectors[symbol]
        self._regimes.log_regime_change(
            regime_type=reading.regime_type,
            timestamp=reading.timestamp,
            detector=detector,
            symbol=symbol,
            confidence_score=reading.confidence,
            indicators_used=dict(figures),
            transition_reason=reading.transition_reason,
            vix_average=figures.get("vix"),
            volatility_score=figures.get("volatility"),
        )
        if self._intervals.get(symbol, ("",))[0] != reading.regime_type:
            begun = interval_id(self._account.id, detector, [symbol, ""], reading.timestamp)
            self._intervals[symbol] = (reading.regime_type, begun)

    def on_signal(self, signal: StrategySignal) -> OrderTicket | None:
        """Store a signal; answer with an order, stored and sized, or with None and a counted reason."""
        signal_id = self._log_signal(signal)
        sizing = self._is.gate.size(
            signal.kind,
            price=signal.price,
            held=self.book.held(signal.symbol, signal.strategy),
            order_open=self._open.of_slot(signal.symbol, signal.strategy),
            equity=self.book.equity(),
            free_cash=CONTEXT.subtract(self.book.cash, self._open.claimed),
            multiplier=self._multiplier(signal.symbol),
        )
        if sizing.refusal is not None:
            self._signals.mark_processed(signal_id, timestamp=signal.timestamp)
            self._refuse(sizing.refusal, signal)
            return None
        ticket = OrderTicket(
            id=new_id(),
            symbol=signal.symbol,
            strategy=signal.strategy,
            action=sizing.action,
            quantity=sizing.quantity,
            requested_at=signal.timestamp,
        )
        self._orders.log_order(
            order_id=ticket.id,
            symbol=ticket.symbol,
            action=ticket.action,
            quantity=ticket.quantity,
            timestamp=ticket.requested_at,
            signal=signal_id,
            strategy_used=ticket.strategy,
            reasoning=signal.reasoning,
            venue=self._is.venue,
        )
        self._open.add(OpenOrder(ticket, signal, signal_id, self._claim(ticket, signal.price)))
        self.orders += 1
        return ticket

    def on_submitted(self, ticket: OrderTicket) -> None:
        """Store that the venue has the order."""
        self._orders.update_order_status(ticket.id, "submitted", timestamp=ticket.requested_at)

    def on_fill(self, fill: VenueFill) -> None:
        """
        Store and book a fill, and mark its signal executed.

        A buy that the open has made dearer than the cash there is is rejected, as a broker would.
        """
        order = self._open.close(fill.ticket.id)
        fact = self._fact(fill, order.signal)
        if fill.ticket.action == "buy" and CONTEXT.add(self.book.cash, self._change_of_cash(fact)) < ZERO:
            reason = f"at the open of {plain(fill.price)} the order costs more than the cash there is"
            self._drop(order, "rejected", NO_CASH_AT_OPEN, reason, fill.executed_at)
            return
        self._record(fill, fact, order)
        self._signals.mark_executed(order.signal_id, fact.id, timestamp=fact.executed_at)

    def _record(self, fill: VenueFill, fact: Fill, order: OpenOrder, **leg: Any) -> None:
        """Store and book a fill, and end its order; `leg` is what a leg of a pair has besides."""
        self._tracker.record_trade(
            trade_id=fact.id,
            order=fill.ticket.id,
            symbol=fill.ticket.symbol,
            action=fact.action,
            quantity=fact.quantity,
            price=fact.price,
            timestamp=fact.executed_at,
            commission=fact.commission,
            venue=self._is.venue,
            expected_price=order.signal.price,
            exit_reason=fact.exit_reason or None,
            strategy_used=fact.strategy,
            regime_at_entry=fact.regime_at_entry,
            confidence_score=order.signal.confidence,
            reasoning=order.signal.reasoning,
            **model_evidence(order.signal),
            **leg,
        )
        self.book.apply(fact)
        self.trades += 1
        self._orders.update_order_status(fill.ticket.id, "filled", timestamp=fact.executed_at)

    def on_day_close(self, at: dt.datetime) -> None:
        """Mark to market in memory, and take the day's risk snapshot."""
        snapshot = self._risk.measure(self.book, self.closes, at)
        self.equity.append((at, snapshot.portfolio_value))
        self._unsaved.append(snapshot)
        if len(self._unsaved) >= RISK_BATCH:
            self._save_risk()

    # What the one who runs the cycle calls

    def finish(self) -> None:
        """End at the last bar: expire what it left unfilled, store the last snapshots."""
        for order in self._open.close_all():
            self._drop(order, "expired", NO_NEXT_BAR, "the bars ended before the next open", self.equity[-1][0])
        self._save_risk()

    def mark_stored(self, *, using: str) -> None:
        """Book what was stored, and mark the stored positions at the last closes."""
        if self.equity:
            mark_books(self._account.id, self.closes, self.equity[-1][0], using=using)

    # Shared

    def _log_signal(self, signal: StrategySignal) -> UUID:
        return self._signals.log_signal(
            symbol=signal.symbol,
            strategy_name=signal.strategy,
            signal_type=signal.kind,
            timestamp=signal.timestamp,
            confidence_score=signal.confidence,
            reasoning=signal.reasoning,
            regime=self._intervals[signal.symbol][1] if signal.symbol in self._intervals else None,
            z_score=signal.indicators.get("z_score"),
            extra={"indicators": dict(signal.indicators), "regime": signal.regime, "close": plain(signal.price)},
        ).id

    def _fact(self, fill: VenueFill, signal: StrategySignal) -> Fill:
        return Fill(
            id=new_id(),
            executed_at=fill.executed_at,
            instrument=self._is.instruments[fill.ticket.symbol],
            action=fill.ticket.action,
            quantity=fill.ticket.quantity,
            price=fill.price,
            strategy=fill.ticket.strategy,
            commission=fill.commission,
            exit_reason="SIGNAL" if fill.ticket.action == "sell" else "",
            regime_at_entry=signal.regime,
        )

    def _drop(self, order: OpenOrder, status: str, refusal: str, reason: str, at: dt.datetime) -> None:
        """Store that an order will not be filled."""
        self._orders.update_order_status(order.ticket.id, status, timestamp=at, reason=reason)
        self._signals.mark_processed(order.signal_id, timestamp=at)
        self._refuse(refusal, order.signal)

    def _refuse(self, reason: str, signal: StrategySignal) -> None:
        self.refusals[str(reason)] += 1
        log.debug("%s of %s on %s refused: %s", signal.kind, signal.strategy, signal.symbol, reason)

    def _change_of_cash(self, fact: Fill) -> Decimal:
        return exact_sum(line.amount for line in fill_entries(fact, self._account.base_currency))

    def _claim(self, ticket: OrderTicket, price: Decimal) -> Decimal:
        if ticket.action != "buy":
            return ZERO
        return CONTEXT.add(notional(ticket.quantity, price, self._multiplier(ticket.symbol)), self._is.gate.commission)

    def _multiplier(self, symbol: str) -> Decimal:
        return self._is.instruments[symbol].multiplier

    def _save_risk(self) -> None:
        receipt = self._risks.bulk_log(asdict(snapshot) for snapshot in self._unsaved)
        if receipt.rejected:
            _, error = receipt.rejected[0]
            raise error
        self.risk_days += len(self._unsaved)
        self._unsaved.clear()
