"""The loggers of the portfolio floor: the books, and their risk."""

from portfolio_manager.data_logger.risk_logger import RiskLogger

__all__ = ["RiskLogger"]
