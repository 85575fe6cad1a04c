"""Plain strategies by name; each is documented with its source and works bar by bar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from friren.errors import RejectedRecordError
from trading_engine.strategies.base import ENTRY_LONG, EXIT_LONG, Advice, ModelEvidence, Strategy
from trading_engine.strategies.donchian_breakout import DonchianBreakout
from trading_engine.strategies.markets import BUY_NO, BUY_YES, Bet, MarketStrategy, Quote
from trading_engine.strategies.mean_reversion import MeanReversion
from trading_engine.strategies.model_signals import ModelSignals
from trading_engine.strategies.overround import Overround
from trading_engine.strategies.pairs import PairAdvice, Pairs, PairStrategy
from trading_engine.strategies.sma_cross import SmaCross

__all__ = [
    "BUY_NO",
    "BUY_YES",
    "ENTRY_LONG",
    "EXIT_LONG",
    "MARKET_STRATEGIES",
    "MODEL_STRATEGIES",
    "PAIR_STRATEGIES",
    "STRATEGIES",
    "Advice",
    "Bet",
    "DonchianBreakout",
    "MarketStrategy",
    "MeanReversion",
    "ModelEvidence",
    "ModelSignals",
    "Overround",
    "PairAdvice",
    "PairStrategy",
    "Pairs",
    "Quote",
    "SmaCross",
    "Strategy",
    "create_market_strategy",
    "create_pair_strategy",
    "create_strategy",
]

Made = TypeVar("Made")

# A factory and not an instance: every symbol of every run gets a strategy with a memory of its own.
STRATEGIES: Final = MappingProxyType[str, Callable[..., Strategy]](
    {factory.name: factory for factory in (SmaCross, DonchianBreakout, MeanReversion)}
)
PAIR_STRATEGIES: Final = MappingProxyType[str, Callable[..., PairStrategy]]({Pairs.name: Pairs})
# These want the name of a model.
MODEL_STRATEGIES: Final = MappingProxyType[str, Callable[..., Strategy]]({ModelSignals.name: ModelSignals})

MARKET_STRATEGIES: Final = MappingProxyType[str, Callable[..., MarketStrategy]]({Overround.name: Overround})


def create_strategy(name: str, **parameters: Any) -> Strategy:
    """
    Return a new strategy by its registered name.

    Raises:
        RejectedRecordError: there is no strategy of that name, or a parameter is unknown or out of range.
        ConfigurationError: it wants a model that is not there, or an extra that is not installed.
    """
    return _created({**STRATEGIES, **MODEL_STRATEGIES}, name, parameters)


def create_market_strategy(name: str, **parameters: Any) -> MarketStrategy:
    """Return a new strategy on prediction markets, as `create_strategy` does one on symbols."""
    return _created(MARKET_STRATEGIES, name, parameters)


def create_pair_strategy(name: str, **parameters: Any) -> PairStrategy:
    """Return a new strategy on a pair, as `create_strategy` does one on symbols."""
    return _created(PAIR_STRATEGIES, name, parameters)


def _created(known: Mapping[str, Callable[..., Made]], name: str, parameters: Mapping[str, Any]) -> Made:
    factory = known.get(name)
    if factory is None:
        raise RejectedRecordError("strategy", name, f"one of {', '.join(known)}")
    try:
        return factory(**parameters)
    except TypeError as exc:
        raise RejectedRecordError("parameters", parameters, f"what {name} takes: {exc}") from exc
