"""What a backtest is to run: the plan, and what of it is worked out before anything is stored."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS

from friren.core.numbers import plain
from friren.errors import RejectedRecordError
from friren.persistence.answers import ask
from portfolio_manager.accounting import Instrument, InstrumentType
from trading_engine.backtesting import TradedPair, Venue
from trading_engine.data.bars import Bar
from trading_engine.models import Symbol
from trading_engine.pairs.keys import pair_key
from trading_engine.regime import DEFAULT_DETECTOR, VixCloses
from trading_engine.strategies import Strategy, create_pair_strategy, create_strategy

__all__ = [
    "BacktestPlan", "account_name", "currency_of", "digest_of", "instruments_of", "strategies_of", "traded_pairs",
]  # fmt: skip

log = logging.getLogger(__name__)

STARTING_CASH: Final = Decimal(100_000)
COMMISSION: Final = Decimal(1)
ACCOUNT_NAME_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestPlan:
    """
    What to run.

    Attributes:
        series: bars of one timeframe by symbol, each oldest first; at least one bar.
        strategies: registered names; every strategy trades every symbol.
        label: stands for the strategies in the account's name; their names when "".
        account: name of the book; `<strategy>-<symbols>-<run id>` when "". It must be new.
        detector: name of the regime detector, see `create_detector`.
        vix: closes for the regime detector.
        starting_cash: in the currency of the symbols.
        commission: per fill.
        venue: where orders go; fills at the next open when None.
        pairs: of symbols of `series`; the strategies then are strategies on pairs, and every one trades every pair.
        parameters: of the strategies, by name; their defaults where it says nothing.
        user: name of the person whose preferences size entries; nobody's when "".
    """

    series: Mapping[str, Sequence[Bar]]
    strategies: Sequence[str]
    label: str = ""
    account: str = ""
    detector: str = DEFAULT_DETECTOR
    vix: VixCloses | None = None
    starting_cash: Decimal = STARTING_CASH
    commission: Decimal = COMMISSION
    venue: Venue | None = None
    pairs: Sequence[tuple[str, str]] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    user: str = ""

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is traded, sorted."""
        return tuple(sorted(self.series))

    @property
    def slots(self) -> int:
        """Over how many the equity is shared out: strategies times what each of them trades."""
        return len(self.strategies) * len(self.pairs or self.series)

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
    return {symbol: [create_strategy(name, **plan.parameters) for name in plan.strategies] for symbol in plan.symbols}


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
        TradedPair(pair, create_pair_strategy(name, **plan.parameters))
        for pair in plan.pairs
        for name in plan.strategies
    ]


def instruments_of(symbols: Sequence[str]) -> dict[str, Instrument]:
    """Return what is traded, by symbol, as the table of symbols has it."""

    def stored(alias: str) -> list[tuple[str, str, Decimal]]:
        rows = Symbol.objects.using(alias).filter(ticker__in=symbols, venue="")
        return list(rows.values_list("ticker", "currency", "multiplier"))

    answer = ask(("instruments", tuple(symbols)), stored, using=DEFAULT_DB_ALIAS)
    if answer.as_of is None:
        log.warning("the database is away: all symbols are taken to be quoted in USD, with a multiplier of 1")
    known = {ticker: (currency, multiplier) for ticker, currency, multiplier in answer.rows}
    return {
        symbol: Instrument(type=InstrumentType.EQUITY, key=symbol, currency=currency, multiplier=multiplier)
        for symbol in symbols
        for currency, multiplier in [known.get(symbol, ("USD", Decimal(1)))]
    }


def currency_of(instruments: Mapping[str, Instrument]) -> str:
    """Return the one currency of all. Raises RejectedRecordError when there are several."""
    currencies = sorted({instrument.currency for instrument in instruments.values()})
    if len(currencies) > 1:
        # Rates are not invented: a book in one currency cannot say what it is worth in another.
        raise RejectedRecordError("symbols", sorted(instruments), f"quoted in one currency, not {currencies}")
    return currencies[0]


def account_name(plan: BacktestPlan, run_id: UUID) -> str:
    """Return the name of a book that none was given for."""
    traded = "+".join("/".join(pair) for pair in plan.pairs) or "+".join(plan.symbols)
    what = f"{plan.label or '+'.join(plan.strategies)}-{traded}"
    # Many symbols do not fit into a name; the parameters of the run have them all.
    return f"{what[: ACCOUNT_NAME_MAX - len(str(run_id)) - 1]}-{run_id}"


def digest_of(series: Mapping[str, Sequence[Bar]]) -> str:
    """Return what tells one set of bars from another: the SHA-256 over their times and prices."""
    digest = hashlib.sha256()
    for symbol in sorted(series):
        for bar in series[symbol]:
            prices = ",".join(plain(value) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume))
            digest.update(f"{symbol},{bar.timestamp.isoformat()},{bar.timeframe},{prices}\n".encode())
    return digest.hexdigest()
