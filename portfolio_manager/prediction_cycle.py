"""
The cycle of a paper trader on prediction markets: events → markets → strategy → signals → trades → marks → snapshots.

Each stage is recorded before the next begins, with ids made of the account and the moment of the export: a cycle that
was cut off is run again and adds what is missing. An export that was traded to its end is not traded twice.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.core.numbers import CONTEXT, ZERO, quantize
from friren.errors import RejectedRecordError
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.data_logger import PortfolioSnapshotter, PortfolioTracker, PredictionTracker
from trading_engine.data.market_exports import MarketExport, quotes_of
from trading_engine.services import MarketRecorder, SignalLogger
from trading_engine.strategies import BUY_YES, Bet, MarketStrategy

__all__ = ["CycleRun", "PredictionCycle"]

# Why bets were not made.
HELD: Final = "held"
NO_CASH: Final = "no_cash"
BOOKS_UNKNOWN: Final = "books_unknown"


@dataclass(slots=True)
class CycleRun:
    """
    What became of one export.

    Attributes:
        done_before: it was traded to its end already; nothing was done.
        events, markets: of the export that were new or changed.
        signals, trades: that were new.
        resolved: markets that were paid out.
        refused: bets that were not made, by reason: held, no_cash, books_unknown.
        rejected: records of the export that could not be stored.
        marked: positions that got a mark; None while the database is away.
    """

    name: str
    at: dt.datetime
    done_before: bool = False
    events: int = 0
    markets: int = 0
    signals: int = 0
    trades: int = 0
    resolved: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    rejected: int = 0
    marked: int | None = None

    def as_json(self) -> Mapping[str, Any]:
        """Return it as reports have it."""
        return asdict(self)


class PredictionCycle:
    """Trades one account on the exports of a venue, at the prices that they tell."""

    def __init__(self, *, account: AccountHandle, strategy: MarketStrategy, stake: Decimal, venue: str = "") -> None:
        """
        Args:
            account: whose books it keeps.
            stake: what a group of bets costs, in the base currency.
            venue: name stored with trades.

        Raises:
            RejectedRecordError: the stake is not more than 0.
        """
        if not stake.is_finite() or stake <= 0:
            raise RejectedRecordError("stake", stake, "more than 0")
        self._account, self._strategy, self._stake, self._venue = account, strategy, stake, venue
        self._recorder, self._signals = MarketRecorder(), SignalLogger(account)
        self._bets, self._books = PredictionTracker(account), PortfolioTracker(account)
        self._snapshots = PortfolioSnapshotter(account)

    def run(self, export: MarketExport) -> CycleRun:
        """Take an export through all stages; exports are given in the order of their moments."""
        run = CycleRun(export.name, export.at, rejected=len(export.issues))
        last = self._snapshots.get_snapshot_history(kind="INTRADAY", limit=1)
        if last and last[0].timestamp >= export.at:
            run.done_before = True
            return run
        self._record(export, run)
        bets = self._advise(export, run)
        self._trade(bets, export.at, run)
        paid = self._bets.resolve_decided_markets()
        run.resolved = sum(receipt.outcome is WriteOutcome.STORED for receipt in paid)
        run.marked = self._bets.mark_from_snapshots(export.at).positions
        # The last of all: by it the export is known to be done.
        self._snapshots.create_daily_portfolio_snapshot(export.at)
        self._snapshots.snapshot(export.at)
        return run

    def standing(self) -> Mapping[str, Decimal | None]:
        """Return balance, total_invested and total_profit_loss of the book; None while they are not known."""
        state = self._books.get_portfolio_state()
        return {name: getattr(state, name, None) for name in ("balance", "total_invested", "total_profit_loss")}

    def close(self) -> None:
        """Close its services, as each of them is closed."""
        for service in (self._recorder, self._signals, self._bets, self._books, self._snapshots):
            service.close()

    def _record(self, export: MarketExport, run: CycleRun) -> None:
        """Store what the venue offers: events, markets, and how each market stood."""
        events = self._recorder.record_events(export.events, export.at)
        markets = self._recorder.record_markets(export.markets, export.at)
        run.events, run.markets = events.stored + events.journaled, markets.stored + markets.journaled
        run.rejected += len(events.rejected) + len(markets.rejected)

    def _advise(self, export: MarketExport, run: CycleRun) -> Sequence[Bet]:
        """Ask the strategy, keep the batch before, and store what it says."""
        bets = self._strategy.on_quotes(quotes_of(export))
        if bets:
            current = self._signals.current_signals(limit=1)
            if current and current[0].timestamp < export.at:
                self._signals.archive_current_signals(export.at)
            receipt = self._signals.log_batch([self._signal(bet, export.at) for bet in bets], export.at)
            if receipt.rejected:
                _, error = receipt.rejected[0]
                raise error
            run.signals = receipt.stored + receipt.journaled
        return bets

    def _trade(self, bets: Sequence[Bet], at: dt.datetime, run: CycleRun) -> None:
        """Make the bets that there is cash for, group by group."""
        if not bets:
            return
        state, held = self._books.get_portfolio_state(), self._books.get_current_positions()
        refused: Counter[str] = Counter()
        if state is None or state.stale or held.stale:
            # What is not known is not bet on.
            refused[BOOKS_UNKNOWN] = len(bets)
            bets = ()
        cash = ZERO if not bets else state.balance
        # What was bought at this very moment is this cycle's own, cut off: it is told again, and a duplicate.
        own = {row.market for row in held if row.strategy_used == self._strategy.name and row.opened_at != at}
        groups: dict[str, list[Bet]] = {}
        for bet in bets:
            groups.setdefault(bet.group, []).append(bet)
        for group in groups.values():
            cost = self._cost(group)
            reason = HELD if any(bet.quote.market in own for bet in group) else NO_CASH if cost > cash else ""
            if reason:
                refused[reason] += len(group)
                for bet in group:
                    self._signals.mark_processed(self._signal_id(bet, at), timestamp=at)
                continue
            for bet in group:
                if self._bet(bet, at) is not WriteOutcome.DUPLICATE:
                    run.trades += 1
                    cash = CONTEXT.subtract(cash, self._amount(bet))
        run.refused = dict(refused)

    def _bet(self, bet: Bet, at: dt.datetime) -> WriteOutcome:
        quote, signal = bet.quote, self._signal_id(bet, at)
        buy = self._bets.buy_yes if bet.kind == BUY_YES else self._bets.buy_no
        receipt = buy(
            market=quote.market,
            price=bet.price,
            timestamp=at,
            amount=self._amount(bet),
            trade_id=natural_id("trade", signal),
            market_question=quote.question,
            event=quote.event or None,
            event_title=quote.event_title,
            event_ends_at=quote.event_ends_at,
            strategy_used=self._strategy.name,
            confidence_score=bet.confidence,
            reasoning=bet.reasoning,
            venue=self._venue,
        )
        self._signals.mark_executed(signal, receipt.id, timestamp=at)
        return receipt.outcome

    def _signal(self, bet: Bet, at: dt.datetime) -> Mapping[str, Any]:
        quote = bet.quote
        return {
            "signal_id": self._signal_id(bet, at),
            "signal_type": bet.kind,
            "market": quote.market,
            "market_question": quote.question,
            "strategy_name": self._strategy.name,
            "target_price": bet.price,
            "amount": self._amount(bet),
            "yes_price": quote.yes_price,
            "no_price": quote.no_price,
            "market_liquidity": quote.liquidity,
            "market_volume": quote.volume,
            "event": quote.event or None,
            "event_title": quote.event_title,
            "event_ends_at": quote.event_ends_at,
            "confidence_score": bet.confidence,
            "reasoning": bet.reasoning,
            "extra": {"indicators": dict(bet.indicators)},
        }

    def _signal_id(self, bet: Bet, at: dt.datetime) -> UUID:
        return natural_id("signal", self._account.id, self._strategy.name, bet.quote.market, bet.kind, at)

    def _amount(self, bet: Bet) -> Decimal:
        return quantize(CONTEXT.multiply(self._stake, bet.share))

    def _cost(self, bets: Sequence[Bet]) -> Decimal:
        total = ZERO
        for bet in bets:
            total = CONTEXT.add(total, self._amount(bet))
        return total
