"""Columns and groups that several tables of this floor, and of the floor above, have in common."""

from __future__ import annotations

from typing import Any, Final

from friren.operations.admin.columns import change_link, changelist_link, computed
from friren.operations.admin.filters import exact_filter
from trading_engine.models import PredictionMarket
from trading_engine.pairs.keys import pair_key, pair_name

__all__ = [
    "BACKTESTS",
    "DECISIONS",
    "INSTRUMENT",
    "MARKET_DATA",
    "MODELS",
    "PAIR_FILTER",
    "STRATEGY_FILTER",
    "SYMBOL_FILTER",
    "TRADING",
]

TRADING: Final = "Trading"
DECISIONS: Final = "Decisions"
MARKET_DATA: Final = "Market data"
BACKTESTS: Final = "Backtests"
MODELS: Final = "Sentiment and models"


def _instrument(row: Any) -> Any:
    """Return a link to the symbol or the pair, or to the market by its text id."""
    if row.symbol_id is not None:
        return change_link(row.symbol, row.symbol.ticker)
    if (pair := getattr(row, "pair", None)) is not None:
        return change_link(pair, pair_name(pair_key("pair", pair)))
    if row.market_id is not None:
        return changelist_link(PredictionMarket, row.market_id, market_id=row.market_id)
    return None


# The list must follow `symbol`; of signals, which may be of a pair alone, `pair` too.
INSTRUMENT: Final = computed("instrument", _instrument)
# Not `symbol`: links from a symbol's page give its key by that name.
SYMBOL_FILTER: Final = exact_filter("symbol__ticker", label="Ticker", parameter="ticker")
# Of a pair's legs, or its signals, by the first of its symbols.
PAIR_FILTER: Final = exact_filter("pair__symbol_1__ticker", label="Pair, first ticker", parameter="pair_ticker")
STRATEGY_FILTER: Final = exact_filter("strategy_used", label="Strategy", parameter="strategy")
