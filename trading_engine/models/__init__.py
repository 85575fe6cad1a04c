"""Models of the trading floor. `from trading_engine.models import Trade` is the only import path."""

from trading_engine.models.backtests import BacktestResult, BacktestRun
from trading_engine.models.instruments import Symbol
from trading_engine.models.learning import ModelPerformance, ModelPrediction
from trading_engine.models.orders import Order, OrderStatusEvent
from trading_engine.models.pairs import BacktestPair, TradingPair
from trading_engine.models.predictions import PredictionEvent, PredictionMarket, PredictionMarketSnapshot
from trading_engine.models.prices import Price, PriceRevision
from trading_engine.models.regimes import MarketRegime, RegimeHistory
from trading_engine.models.sentiment import SentimentData, TradeSentiment
from trading_engine.models.signal_archives import SignalArchive
from trading_engine.models.signals import Signal
from trading_engine.models.snapshots import CalendarSnapshot, CandleSnapshot, IndicatorSnapshot, NewsSnapshot
from trading_engine.models.trades import Trade, TradeStatusEvent

__all__ = [
    "BacktestPair",
    "BacktestResult",
    "BacktestRun",
    "CalendarSnapshot",
    "CandleSnapshot",
    "IndicatorSnapshot",
    "MarketRegime",
    "ModelPerformance",
    "ModelPrediction",
    "NewsSnapshot",
    "Order",
    "OrderStatusEvent",
    "PredictionEvent",
    "PredictionMarket",
    "PredictionMarketSnapshot",
    "Price",
    "PriceRevision",
    "RegimeHistory",
    "SentimentData",
    "Signal",
    "SignalArchive",
    "Symbol",
    "Trade",
    "TradeSentiment",
    "TradeStatusEvent",
    "TradingPair",
]
