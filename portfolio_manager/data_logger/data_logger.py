"""One handle on everything of an account: the loggers of the floor below, and those of this one."""

from __future__ import annotations

from functools import partial
from typing import TypeVar, cast

from portfolio_manager.data_logger.decision_logger import DecisionLogger
from portfolio_manager.data_logger.portfolio_snapshotter import PortfolioSnapshotter
from portfolio_manager.data_logger.portfolio_tracker import PortfolioTracker
from portfolio_manager.data_logger.prediction_tracker import PredictionTracker
from portfolio_manager.data_logger.risk_logger import RiskLogger
from portfolio_manager.data_logger.trade_ideas import TradeIdeaService
from trading_engine.data.database_manager import DatabaseManager
from trading_engine.services.base import AccountService

__all__ = ["DataLogger"]

Kind = TypeVar("Kind", bound=AccountService)


class DataLogger(DatabaseManager):
    """
    A `DatabaseManager` with the services of the books as well.

        with DataLogger("momentum") as db:
            db.portfolio.record_trade(...)
            db.ideas.propose(...)
    """

    @property
    def portfolio(self) -> PortfolioTracker:
        """The books."""
        return self._of(PortfolioTracker)

    @property
    def risk(self) -> RiskLogger:
        """Risk, day by day."""
        return self._of(RiskLogger)

    @property
    def ideas(self) -> TradeIdeaService:
        """Ideas under approval."""
        return self._of(TradeIdeaService)

    @property
    def decisions(self) -> DecisionLogger:
        """What was decided."""
        return self._of(DecisionLogger)

    @property
    def portfolio_snapshots(self) -> PortfolioSnapshotter:
        """How the book stood."""
        return self._of(PortfolioSnapshotter)

    @property
    def predictions(self) -> PredictionTracker:
        """The book of prediction markets."""
        return self._of(PredictionTracker)

    def _of(self, kind: type[Kind]) -> Kind:
        make = partial(kind, self._account, mode=self._mode, using=self._using)
        return cast("Kind", self._service(kind.__name__, make))
