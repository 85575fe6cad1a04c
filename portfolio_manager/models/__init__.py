"""Models of the portfolio floor. `from portfolio_manager.models import Position` is the only import path."""

from portfolio_manager.models.books import AccountState, LedgerEntry, Position, PositionFill
from portfolio_manager.models.facts import CashMovement, CorporateAction, MarketResolution, PeriodCheckpoint
from portfolio_manager.models.risk import RiskMetrics

__all__ = [
    "AccountState",
    "CashMovement",
    "CorporateAction",
    "LedgerEntry",
    "MarketResolution",
    "PeriodCheckpoint",
    "Position",
    "PositionFill",
    "RiskMetrics",
]
