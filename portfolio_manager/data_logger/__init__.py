"""The loggers of the portfolio floor, one module per service."""

from portfolio_manager.data_logger.portfolio_tracker import PortfolioTracker
from portfolio_manager.data_logger.risk_logger import RiskLogger

__all__ = ["PortfolioTracker", "RiskLogger"]
