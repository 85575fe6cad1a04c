"""What another engine's run comes to, in the words of Friren: fills, cash that is no fill, splits, and the curve."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError

__all__ = ["EngineCash", "EngineFill", "EnginePoint", "EngineRun", "EngineSplit", "FillBook"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFill:
    """
    A fill of an engine.

    Attributes:
        action: buy, sell, short or cover.
        quantity: positive, fractional where the engine trades fractions.
        executed_at: when the engine says that it was filled, aware UTC.
        counted_from: the first moment of the engine's curve that knows it, not before `executed_at`.
        commission: paid, negative for a rebate.
        leverage: of what is not paid for in full; None for spot.
        round_trip: fills that net among themselves alone; only in a run that hedges.
        details: more of what `TradeLogger.log_trade` takes.
    """

    symbol: str
    action: str
    quantity: Decimal
    price: Decimal
    executed_at: dt.datetime
    counted_from: dt.datetime
    commission: Decimal = ZERO
    leverage: Decimal | None = None
    round_trip: UUID | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCash:
    """Cash that moved without a fill; `kind` and the sign of `amount` as for `PortfolioTracker.record_cash`."""

    kind: str
    amount: Decimal
    at: dt.datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSplit:
    """One unit of `symbol` became `ratio` units at `at`, before whatever was traded from then on."""

    symbol: str
    ratio: Decimal
    at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePoint:
    """
    A moment of an engine's equity curve.

    Attributes:
        at: aware UTC.
        closes: price by symbol at which the engine valued what it held then; symbols that have none keep their last.
        equity, cash: as the engine says; None where it says nothing.
    """

    at: dt.datetime
    closes: Mapping[str, Decimal]
    equity: Decimal | None = None
    cash: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRun:
    """
    A finished run of another engine.

    Attributes:
        engine, engine_version: who ran it.
        strategy: name under which its fills are kept.
        starting_cash: before the first fill, in `currency`.
        fills, movements, splits: in the order in which the engine made them.
        points: the curve, oldest first, at least one.
        hedging: each round trip is a position of its own, as the engine keeps them.
        multipliers: units of the underlying per unit of quantity, where they are not 1.
        parameters: of the strategy, plain JSON.
        untold: what the engine does not tell and Friren therefore does not know, in sentences.
    """

    engine: str
    engine_version: str
    strategy: str
    starting_cash: Decimal
    fills: tuple[EngineFill, ...]
    points: tuple[EnginePoint, ...]
    movements: tuple[EngineCash, ...] = ()
    splits: tuple[EngineSplit, ...] = ()
    hedging: bool = False
    currency: str = ""
    multipliers: Mapping[str, Decimal] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    untold: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.points:
            raise RejectedRecordError("points", [], "at least one moment of an equity curve")
        moments = [point.at for point in self.points]
        for before, after in itertools.pairwise(moments):
            if after <= before:
                raise RejectedRecordError("points", after.isoformat(), f"later than the one before, {before}")

    @property
    def symbols(self) -> tuple[str, ...]:
        """What was traded, or could have been; sorted."""
        priced = {symbol for point in self.points for symbol in point.closes}
        return tuple(sorted(priced | {fill.symbol for fill in self.fills}))


class FillBook:
    """
    Gathers fills from signed changes, and knows what is held.

    Args:
        leverage: of every fill; None for spot.
    """

    def __init__(self, *, leverage: Decimal | None = None) -> None:
        self.fills: list[EngineFill] = []
        self.held: dict[tuple[str, UUID | None], Decimal] = defaultdict(lambda: ZERO)
        self._leverage = leverage

    def add(
        self,
        symbol: str,
        change: Decimal,
        price: Decimal,
        at: dt.datetime,
        *,
        commission: Decimal = ZERO,
        counted_from: dt.datetime | None = None,
        round_trip: UUID | None = None,
        leverage: Decimal | None = None,
        **details: Any,
    ) -> None:
        """
        Take a fill of `change` units, positive when bought; a change of 0 is none.

        Raises:
            RejectedRecordError: `change` is no number.
        """
        if not change.is_finite():
            raise RejectedRecordError("quantity", change, "a finite number")
        if not change:
            return
        held = self.held[symbol, round_trip]
        buying, selling = ("cover" if held < ZERO else "buy"), ("sell" if held > ZERO else "short")
        self.held[symbol, round_trip] = CONTEXT.add(held, change)
        self.fills.append(
            EngineFill(
                symbol=symbol,
                action=buying if change > ZERO else selling,
                quantity=abs(change),
                price=price,
                executed_at=at,
                counted_from=at if counted_from is None else counted_from,
                commission=commission,
                leverage=self._leverage if leverage is None else leverage,
                round_trip=round_trip,
                details={name: value for name, value in details.items() if value is not None},
            )
        )

    def split(self, symbol: str, ratio: Decimal) -> None:
        """Take a split: what is held becomes `ratio` times as much."""
        for key, held in self.held.items():
            if key[0] == symbol:
                self.held[key] = CONTEXT.multiply(held, ratio)
