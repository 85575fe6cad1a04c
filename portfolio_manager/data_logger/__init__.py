"""The loggers of the portfolio floor, one module per service."""

from portfolio_manager.data_logger.data_logger import DataLogger
from portfolio_manager.data_logger.decision_logger import DecisionLogger
from portfolio_manager.data_logger.portfolio_snapshotter import PortfolioSnapshotter
from portfolio_manager.data_logger.portfolio_tracker import PortfolioTracker
from portfolio_manager.data_logger.prediction_tracker import PredictionTracker
from portfolio_manager.data_logger.risk_logger import RiskLogger
from portfolio_manager.data_logger.trade_ideas import TradeIdeaService

__all__ = [
    "DataLogger",
    "DecisionLogger",
    "PortfolioSnapshotter",
    "PortfolioTracker",
    "PredictionTracker",
    "RiskLogger",
    "TradeIdeaService",
]
