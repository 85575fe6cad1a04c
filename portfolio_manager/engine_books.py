"""The books of another engine's run: its fills folded as Friren does it, held against what the engine says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.accounts import AccountHandle
from friren.core.ids import new_id
from friren.core.numbers import CONTEXT, plain
from friren.errors import RejectedRecordError
from portfolio_manager.accounting import (
    Cash,
    Fill,
    Instrument,
    InstrumentType,
    PositionMode,
    Side,
    Split,
    exact_sum,
)
from portfolio_manager.booking.marking import mark_books
from portfolio_manager.daily_risk import DailyRisk, RiskSnapshot
from portfolio_manager.trading_book import TradingBook, opening_deposit
from trading_engine.backtesting.adapters import EngineCash, EngineFill, EnginePoint, EngineRun, EngineSplit

__all__ = ["EngineBooks", "Event", "events_of"]

# Two figures are the same to the cent if they are nearer to each other than this.
HALF_A_CENT: Final = Decimal("0.005")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run, under the id that it is stored by."""

    id: UUID
    told: EngineFill | EngineCash | EngineSplit

    @property
    def counted_from(self) -> dt.datetime:
        """The first moment of the engine's curve that knows it."""
        return self.told.counted_from if isinstance(self.told, EngineFill) else self.told.at


def events_of(run: EngineRun) -> list[Event]:
    """
    Return what happened in a run in the order in which books are folded.

    Books sort by time and id; ids made here ascend, so that events of one moment stay in the engine's order.
    """
    told: list[EngineFill | EngineCash | EngineSplit] = [*run.splits, *run.movements, *run.fills]
    return [Event(new_id(), one) for one in sorted(told, key=_order)]


def _order(told: EngineFill | EngineCash | EngineSplit) -> tuple[dt.datetime, dt.datetime]:
    return (told.executed_at, told.counted_from) if isinstance(told, EngineFill) else (told.at, told.at)


class EngineBooks:
    """
    Folds a run and follows its curve.

    Attributes:
        book: the fold.
        closes: last close by symbol.
        equity: value of the book at each moment of the curve.
        risk_days: the risk of each day (UTC), taken at its last moment.
        differences: where the engine says something else than the books, in sentences, the first first.
    """

    def __init__(self, run: EngineRun, account: AccountHandle, instruments: Mapping[str, Instrument]) -> None:
        """
        Args:
            instruments: spot instruments by symbol.
        """
        self._run, self._account, self._instruments = run, account, instruments
        mode = PositionMode.HEDGING if run.hedging else PositionMode.NETTING
        self.book = TradingBook(base_currency=account.base_currency, position_mode=mode)
        self.closes: dict[str, Decimal] = {}
        self.equity: list[tuple[dt.datetime, Decimal]] = []
        self.risk_days: list[RiskSnapshot] = []
        self.differences: list[str] = []

    def follow(self, events: Sequence[Event]) -> Iterator[tuple[EnginePoint, dict[str, Any]]]:
        """
        Yield each moment of the curve with the figures of the book then, as columns of PortfolioSnapshot.

        Raises:
            RejectedRecordError: something is held of which no price is known, or happened after the last moment.
        """
        self.book.apply(opening_deposit(self._account, self._run.starting_cash))
        risk = DailyRisk(starting_value=self._run.starting_cash)
        points, place = self._run.points, 0
        for number, point in enumerate(points):
            while place < len(events) and events[place].counted_from <= point.at:
                self.book.apply(self._fact(events[place]))
                place += 1
            for symbol, close in point.closes.items():
                self.book.take_close(symbol, close)
                self.closes[symbol] = close
            self._compare(point)
            self.equity.append((point.at, self.book.equity()))
            if number + 1 == len(points) or points[number + 1].at.date() != point.at.date():
                self.risk_days.append(risk.measure(self.book, self.closes, point.at))
            yield point, self._figures()
        if place < len(events):
            rule = f"within the curve of the engine, which ends at {points[-1].at.isoformat()}"
            raise RejectedRecordError("executed_at", events[place].counted_from.isoformat(), rule)

    def mark_stored(self, *, using: str) -> None:
        """Book what was stored, and mark the stored positions at the last closes."""
        mark_books(self._account.id, self.closes, self._run.points[-1].at, using=using)

    def _compare(self, point: EnginePoint) -> None:
        for name, said, ours in (("equity", point.equity, self.book.equity()), ("cash", point.cash, self.book.cash)):
            if said is not None and abs(CONTEXT.subtract(said, ours)) >= HALF_A_CENT:
                self.differences.append(
                    f"at {point.at.isoformat()} its {name} is {plain(said)}, that of its fills {plain(ours)}"
                )

    def _figures(self) -> dict[str, Any]:
        """Return the book as it stands; what each figure is, `booking.figures.BookFigures` says."""
        book = self.book
        held = [(position, book.mark(position)) for position in book.open_positions()]
        unrealized = exact_sum(mark.unrealized_pnl for _position, mark in held)
        invested = (p.total_cost.copy_negate() if p.side == Side.SHORT else p.total_cost for p, _mark in held)
        return {
            "balance": book.cash,
            "total_invested": exact_sum(invested),
            "total_value": book.equity(),
            "total_profit_loss": CONTEXT.add(book.realized, unrealized),
            "realized_pnl": book.realized,
            "total_unrealized_pnl": unrealized,
            "total_margin": exact_sum(mark.margin for _position, mark in held if mark.margin is not None),
            "total_commission": book.commission,
            "open_positions": len(held),
            "trade_count": book.fills,
        }

    def _fact(self, event: Event) -> Fill | Cash | Split:
        told = event.told
        if isinstance(told, EngineSplit):
            return Split(id=event.id, at=told.at, symbol=told.symbol, ratio=told.ratio)
        if isinstance(told, EngineCash):
            return Cash(
                id=event.id, at=told.at, kind=told.kind, currency=self._account.base_currency, amount=told.amount
            )
        instrument = self._instruments[told.symbol]
        if told.leverage is not None:
            instrument = Instrument(
                type=InstrumentType.LEVERAGED,
                key=instrument.key,
                currency=instrument.currency,
                multiplier=instrument.multiplier,
            )
        return Fill(
            id=event.id,
            executed_at=told.executed_at,
            instrument=instrument,
            action=told.action,
            quantity=told.quantity,
            price=told.price,
            strategy=self._run.strategy,
            commission=told.commission,
            leverage=told.leverage,
            round_trip=told.round_trip,
        )
