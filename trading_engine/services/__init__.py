"""The loggers of the trading floor, by which backtests and live bots record what they do."""

from trading_engine.services.backtest_recorder import BacktestRecorder
from trading_engine.services.market_recorder import MarketRecorder
from trading_engine.services.model_tracker import ModelTracker
from trading_engine.services.pair_recorder import PairRecorder
from trading_engine.services.price_recorder import PriceRecorder
from trading_engine.services.regime_logger import RegimeLogger
from trading_engine.services.sentiment_logger import SentimentLogger
from trading_engine.services.signal_logger import SignalLogger
from trading_engine.services.snapshot_logger import SnapshotLogger
from trading_engine.services.trade_logger import TradeLogger

__all__ = [
    "BacktestRecorder",
    "MarketRecorder",
    "ModelTracker",
    "PairRecorder",
    "PriceRecorder",
    "RegimeLogger",
    "SentimentLogger",
    "SignalLogger",
    "SnapshotLogger",
    "TradeLogger",
]
