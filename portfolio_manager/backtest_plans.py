"""What a backtest is to run: the plan, and what of it is worked out before anything is stored."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from friren.core.numbers import plain
from friren.errors import RejectedRecordError
from trading_engine.backtesting import TradedPair, Venue
from trading_engine.data.bars import Bar
from trading_engine.pairs.keys import pair_key
from trading_engine.regime import DEFAULT_DETECTOR, VixCloses
from trading_engine.strategies import Strategy, create_pair_strategy, create_strategy

__all__ = ["BacktestPlan", "digest_of", "strategies_of", "traded_pairs"]

STARTING_CASH: Final = Decimal(100_000)
COMMISSION: Final = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestPlan:
    """
    What to run.

    Attributes:
        series: bars of one timeframe by symbol, each oldest first; at least one bar.
        strategies: registered names; every strategy trades every symbol.
        parameters: of strategies that are not as they come, by name.
        label: stands for the strategies in the account's name; their names when "".
        account: name of the book; `<strategy>-<symbols>-<run id>` when "". It must be new.
        detector: name of the regime detector, see `create_detector`.
        vix: closes for the regime detector.
        starting_cash: in the currency of the symbols.
        commission: per fill.
        venue: where orders go; fills at the next open when None.
        pairs: of symbols of `series`; the strategies then are strategies on pairs, and every one trades every pair.
        user: name of the person whose preferences size entries; nobody's when "".
    """

    series: Mapping[str, Sequence[Bar]]
    strategies: Sequence[str]
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    label: str = ""
    account: str = ""
    detector: str = DEFAULT_DETECTOR
    vix: VixCloses | None = None
    starting_cash: Decimal = STARTING_CASH
    commission: Decimal = COMMISSION
    venue: Venue | None = None
    pairs: Sequence[tuple[str, str]] = ()
    user: str = ""

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is traded, sorted."""
        return tuple(sorted(self.series))

    @property
    def traded(self) -> tuple[str, ...]:
        """What is traded, as people write it: the pairs, else the symbols."""
        return tuple("/".join(pair) for pair in self.pairs) or self.symbols

    @property
    def slots(self) -> int:
        """Over how many the equity is shared out: strategies times what each of them trades."""
        return len(self.strategies) * len(self.traded)

    @property
    def period(self) -> tuple[dt.datetime, dt.datetime]:
        """The first and the last bar."""
        return (
            min(bars[0].timestamp for bars in self.series.values()),
            max(bars[-1].timestamp for bars in self.series.values()),
        )


def strategies_of(plan: BacktestPlan) -> dict[str, list[Strategy]]:
    """
    Return new strategies by symbol; none of a plan on pairs.

    Raises:
        RejectedRecordError: a strategy is unknown or named twice, or there are no bars.
    """
    if not plan.strategies or len(set(plan.strategies)) != len(plan.strategies):
        raise RejectedRecordError("strategies", list(plan.strategies), "at least one, each once")
    if not plan.series or not all(plan.series.values()):
        raise RejectedRecordError("series", list(plan.symbols), "at least one bar of every symbol")
    if plan.pairs:
        return {}
    return {
        symbol: [create_strategy(name, **plan.parameters.get(name, {})) for name in plan.strategies]
        for symbol in plan.symbols
    }


def traded_pairs(plan: BacktestPlan) -> list[TradedPair]:
    """
    Return new strategies on the pairs of a plan.

    Raises:
        RejectedRecordError: a strategy is unknown, a pair is named twice, or has a symbol without bars.
    """
    for place, pair in enumerate(plan.pairs):
        pair_key(f"pairs[{place}]", pair)
        if missing := [symbol for symbol in pair if symbol not in plan.series]:
            raise RejectedRecordError(f"pairs[{place}]", missing, "symbols with bars")
    if len({frozenset(pair) for pair in plan.pairs}) != len(plan.pairs):
        raise RejectedRecordError("pairs", list(plan.pairs), "each once")
    return [
        TradedPair(pair, create_pair_strategy(name, **plan.parameters.get(name, {})))
        for pair in plan.pairs
        for name in plan.strategies
    ]


def digest_of(series: Mapping[str, Sequence[Bar]]) -> str:
    """Return what tells one set of bars from another: the SHA-256 over their times and prices."""
    digest = hashlib.sha256()
    for symbol in sorted(series):
        for bar in series[symbol]:
            prices = ",".join(plain(value) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume))
            digest.update(f"{symbol},{bar.timestamp.isoformat()},{bar.timeframe},{prices}\n".encode())
    return digest.hexdigest()
