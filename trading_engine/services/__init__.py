"""The loggers of the trading floor, by which backtests and live bots record what they do."""

from trading_engine.services.trade_logger import TradeLogger

__all__ = ["TradeLogger"]
