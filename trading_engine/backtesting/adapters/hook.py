"""The hook for a loop of one's own: tell it of fills, mark it, done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from trading_engine.backtesting.adapters.engine_run import EngineCash, EnginePoint, EngineRun, FillBook
from trading_engine.backtesting.adapters.values import Clock, exact, plain_parameters

__all__ = ["RunHook"]

ENGINE: Final = "own loop"


class RunHook:
    """
    Gathers what a loop does; nothing is stored before `record_run(hook.engine_run())`.

        hook = RunHook("my_strategy", starting_cash=100_000)
        hook.fill("SPY", +10, price, at, commission=1)       # where the loop buys; -10 where it sells
        hook.mark(at, {"SPY": close}, equity=equity)         # once per bar

    Figures may be floats: they are rounded to 15 significant digits here.

    Args:
        strategy: name to keep it under.
        starting_cash: before the first fill.
        timezone: zone of naive stamps.
        currency: of the symbols; as they are stored unless given.
        parameters: of the strategy.
    """

    def __init__(
        self,
        strategy: str,
        *,
        starting_cash: Decimal | float,
        timezone: str = "UTC",
        currency: str = "",
        **parameters: Any,
    ) -> None:
        self._strategy, self._currency, self._parameters = strategy, currency, parameters
        self._starting_cash = exact(starting_cash, "starting_cash")
        self._clock = Clock(timezone)
        self._book = FillBook()
        self._points: list[EnginePoint] = []
        self._movements: list[EngineCash] = []

    def fill(
        self,
        symbol: str,
        change: Decimal | float,
        price: Decimal | float,
        at: dt.datetime | str,
        *,
        commission: Decimal | float = 0,
        **details: Any,
    ) -> None:
        """
        Take a fill.

        Args:
            change: units, positive when bought, negative when sold or sold short.
            at: naive in the hook's zone, or aware.
            details: more of what `TradeLogger.log_trade` takes: reasoning, confidence_score, …

        Raises:
            RejectedRecordError: a value is no number, or `at` no moment.
        """
        signed, paid = exact(change, "quantity"), exact(commission, "commission")
        self._book.add(symbol, signed, exact(price), self._clock(at), commission=paid, **details)

    def cash(self, kind: str, amount: Decimal | float, at: dt.datetime | str, reason: str = "") -> None:
        """Take cash that moved without a fill; kind and sign as for `PortfolioTracker.record_cash`."""
        self._movements.append(EngineCash(kind=kind, amount=exact(amount, "amount"), at=self._clock(at), reason=reason))

    def mark(
        self,
        at: dt.datetime | str,
        closes: Mapping[str, Decimal | float],
        *,
        equity: Decimal | float | None = None,
        cash: Decimal | float | None = None,
    ) -> None:
        """
        Take a moment of the curve, later than the one before.

        Args:
            closes: price by symbol, at least of what is held.
            equity, cash: as the loop reckons them; what is given is held against the books.
        """
        point = EnginePoint(
            at=self._clock(at),
            closes={symbol: exact(close) for symbol, close in closes.items()},
            equity=None if equity is None else exact(equity, "equity"),
            cash=None if cash is None else exact(cash, "cash"),
        )
        self._points.append(point)

    def engine_run(self) -> EngineRun:
        """
        Return the run.

        Raises:
            RejectedRecordError: it was never marked, or not in the order of time.
        """
        checked = self._points and self._points[-1].equity is not None
        return EngineRun(
            engine=ENGINE,
            engine_version="",
            strategy=self._strategy,
            starting_cash=self._starting_cash,
            fills=tuple(self._book.fills),
            points=tuple(self._points),
            movements=tuple(self._movements),
            currency=self._currency,
            parameters=plain_parameters(self._parameters.items()),
            untold=() if checked else ("its own equity: nothing was compared",),
        )
