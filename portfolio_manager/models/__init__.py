"""Models of the portfolio floor. `from portfolio_manager.models import Position` is the only import path."""

from portfolio_manager.models.books import AccountState, LedgerEntry, Position, PositionFill
from portfolio_manager.models.facts import CashMovement, CorporateAction, MarketResolution, PeriodCheckpoint
from portfolio_manager.models.ideas import DecisionHistory, IdeaOutcome, TradeIdea
from portfolio_manager.models.journal import TradingJournal
from portfolio_manager.models.peaks import ProfitPeak
from portfolio_manager.models.reconciliation import ReconciliationBreak
from portfolio_manager.models.risk import RiskMetrics
from portfolio_manager.models.snapshots import AccountSnapshot, AccountTotals, PortfolioHistory, PortfolioSnapshot
from portfolio_manager.models.strategies import RiskConfig, Strategy
from portfolio_manager.models.views import BacktestTrade, PortfolioState

__all__ = [
    "AccountSnapshot",
    "AccountState",
    "AccountTotals",
    "BacktestTrade",
    "CashMovement",
    "CorporateAction",
    "DecisionHistory",
    "IdeaOutcome",
    "LedgerEntry",
    "MarketResolution",
    "PeriodCheckpoint",
    "PortfolioHistory",
    "PortfolioSnapshot",
    "PortfolioState",
    "Position",
    "PositionFill",
    "ProfitPeak",
    "ReconciliationBreak",
    "RiskConfig",
    "RiskMetrics",
    "Strategy",
    "TradeIdea",
    "TradingJournal",
]
