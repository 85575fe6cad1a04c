"""
Runs of other engines, in the words of Friren: each function here returns an `EngineRun`, which
`portfolio_manager.engine_runs.record_run` stores. No engine is imported; what they hand out is read by its names.
"""

from __future__ import annotations

from trading_engine.backtesting.adapters.backtesting_py import from_backtesting
from trading_engine.backtesting.adapters.backtrader import friren_analyzer
from trading_engine.backtesting.adapters.bt import from_bt
from trading_engine.backtesting.adapters.engine_run import (
    EngineCash,
    EngineFill,
    EnginePoint,
    EngineRun,
    EngineSplit,
)
from trading_engine.backtesting.adapters.hook import RunHook
from trading_engine.backtesting.adapters.transactions import from_transactions
from trading_engine.backtesting.adapters.vectorbt import from_vectorbt
from trading_engine.backtesting.adapters.zipline import from_zipline

__all__ = [
    "EngineCash",
    "EngineFill",
    "EnginePoint",
    "EngineRun",
    "EngineSplit",
    "RunHook",
    "friren_analyzer",
    "from_backtesting",
    "from_bt",
    "from_transactions",
    "from_vectorbt",
    "from_zipline",
]
