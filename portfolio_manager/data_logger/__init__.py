"""The loggers of the portfolio floor, one module per service."""

from portfolio_manager.data_logger.portfolio_tracker import PortfolioTracker

__all__ = ["PortfolioTracker"]
