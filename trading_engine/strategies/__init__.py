"""Plain strategies by name; each is documented with its source and works bar by bar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from friren.errors import RejectedRecordError
from trading_engine.strategies.base import ENTRY_LONG, EXIT_LONG, Advice, ModelEvidence, Strategy
from trading_engine.strategies.donchian_breakout import DonchianBreakout
from trading_engine.strategies.mean_reversion import MeanReversion
from trading_engine.strategies.model_signals import ModelSignals
from trading_engine.strategies.pairs import PairAdvice, Pairs, PairStrategy
from trading_engine.strategies.sma_cross import SmaCross

__all__ = [
    "ENTRY_LONG",
    "EXIT_LONG",
    "MODEL_STRATEGIES",
    "PAIR_STRATEGIES",
    "STRATEGIES",
    "Advice",
    "DonchianBreakout",
    "MeanReversion",
    "ModelEvidence",
    "ModelSignals",
    "PairAdvice",
    "PairStrategy",
    "Pairs",
    "SmaCross",
    "Strategy",
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


def create_strategy(name: str, **parameters: Any) -> Strategy:
    """
    Return a new strategy by its registered name.

    Raises:
        RejectedRecordError: there is no strategy of that name, or a parameter is unknown or out of range.
        ConfigurationError: it wants a model that is not there, or an extra that is not installed.
    """
    return _made({**STRATEGIES, **MODEL_STRATEGIES}, name, parameters)


def create_pair_strategy(name: str, **parameters: Any) -> PairStrategy:
    """Return a new strategy on a pair by its registered name. Errors as for `create_strategy`."""
    return _made(PAIR_STRATEGIES, name, parameters)


def _made(known: Mapping[str, Callable[..., Made]], name: str, parameters: Mapping[str, Any]) -> Made:
    factory = known.get(name)
    if factory is None:
        raise RejectedRecordError("strategy", name, f"one of {', '.join(known)}")
    try:
        return factory(**parameters)
    except TypeError as exc:
        raise RejectedRecordError("parameters", parameters, f"what {name} takes: {exc}") from exc
