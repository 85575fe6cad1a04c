"""The daily risk snapshot of a book that is being traded, from what the cycle holds in memory."""

from __future__ import annotations

import datetime as dt
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from friren.core.numbers import CONTEXT, ZERO
from portfolio_manager import risk
from portfolio_manager.trading_book import TradingBook

__all__ = ["DailyRisk", "RiskSnapshot"]

# A year of days for the tail of the book's returns; three months for how its holdings move together.
VAR_DAYS: Final = 252
CORRELATION_DAYS: Final = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSnapshot:
    """
    The risk of a book at the close of a day, in its base currency.

    Attributes:
        portfolio_value: cash and positions.
        total_exposure: absolute market values, added up.
        max_position_size: the largest of them, by symbol.
        correlation_risk: mean correlation of the symbols held, over three months; None below two.
        var_estimate: historical one-day value at risk, 95 %, over a year; None below 20 days.
    """

    timestamp: dt.datetime
    portfolio_value: Decimal
    total_exposure: Decimal
    max_position_size: Decimal
    correlation_risk: float | None
    var_estimate: Decimal | None


class DailyRisk:
    """Measures a book once a day and remembers what the next measurement needs; call it in the order of time."""

    def __init__(self, *, starting_value: Decimal) -> None:
        """
        Args:
            starting_value: of the book before the first day.
        """
        self._last_value = starting_value
        self._returns: deque[float] = deque(maxlen=VAR_DAYS)
        self._closes: dict[str, Decimal] = {}
        self._moves: dict[str, deque[float]] = {}

    def measure(self, book: TradingBook, closes: dict[str, Decimal], at: dt.datetime) -> RiskSnapshot:
        """
        Return the snapshot of a day.

        Args:
            book: marked at the closes of the day.
            closes: last close by symbol, those of earlier days where a symbol had no bar today.
            at: the close, aware UTC.
        """
        value = book.equity()
        self._returns.extend(risk.returns_of([self._last_value, value]))
        self._last_value = value
        self._move(closes)
        held = book.values()
        return RiskSnapshot(
            timestamp=at,
            portfolio_value=value,
            total_exposure=risk.gross_exposure(held.values()),
            max_position_size=risk.largest_position(held.values()),
            correlation_risk=risk.correlation_risk(
                {symbol: list(moves) for symbol, moves in self._moves.items() if symbol in held}
            ),
            var_estimate=risk.value_at_risk_amount(list(self._returns), value),
        )

    def _move(self, closes: dict[str, Decimal]) -> None:
        # Every symbol gets one entry per day, so that series stay aligned; a day without a bar did not move.
        for symbol, close in closes.items():
            before = self._closes.get(symbol)
            if before is not None:
                move = float(CONTEXT.divide(close, before)) - 1 if before > ZERO else 0.0
                self._moves.setdefault(symbol, deque(maxlen=CORRELATION_DAYS)).append(move)
            self._closes[symbol] = close
