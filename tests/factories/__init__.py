"""
One factory per model: rows that are right in every detail, made the way the program makes them.

Accounts are opened, facts go through their handlers, bars through the recorder; only projections and reference rows
are written as they stand, since nothing but the books (or a person) makes those.
"""

from __future__ import annotations

from factory.django import DjangoModelFactory

from tests.factories.books import (
    AccountStateFactory,
    CashMovementFactory,
    CorporateActionFactory,
    LedgerEntryFactory,
    MarketResolutionFactory,
    PeriodCheckpointFactory,
    PositionFactory,
    PositionFillFactory,
    ProfitPeakFactory,
    RiskMetricsFactory,
)
from tests.factories.decisions import (
    AccountTotalsFactory,
    BacktestTradeFactory,
    DecisionHistoryFactory,
    IdeaOutcomeFactory,
    PortfolioHistoryFactory,
    PortfolioSnapshotFactory,
    PortfolioStateFactory,
    ReconciliationBreakFactory,
    RiskConfigFactory,
    StrategyFactory,
    TradeIdeaFactory,
    TradingJournalFactory,
)
from tests.factories.ground import (
    MONDAY,
    AccountFactory,
    AuditLogFactory,
    FactFactory,
    SystemMetadataFactory,
    UserFactory,
    later,
)
from tests.factories.learning import (
    ModelPerformanceFactory,
    ModelPredictionFactory,
    SentimentDataFactory,
    TradeSentimentFactory,
)
from tests.factories.operations import (
    ArchiveRunFactory,
    AuditBlockFactory,
    BackupRecordFactory,
    MetricSampleFactory,
    ScheduledRunFactory,
)
from tests.factories.seen import (
    AccountSnapshotFactory,
    BacktestPairFactory,
    CalendarSnapshotFactory,
    CandleSnapshotFactory,
    IndicatorSnapshotFactory,
    NewsSnapshotFactory,
    SignalArchiveFactory,
    TradingPairFactory,
)
from tests.factories.trading import (
    BacktestResultFactory,
    BacktestRunFactory,
    MarketRegimeFactory,
    OrderFactory,
    OrderStatusEventFactory,
    PredictionEventFactory,
    PredictionMarketFactory,
    PredictionMarketSnapshotFactory,
    PriceFactory,
    PriceRevisionFactory,
    RegimeHistoryFactory,
    SignalFactory,
    SymbolFactory,
    TradeFactory,
    TradeStatusEventFactory,
)
from tests.factories.write_path import DeadLetterFactory, JournalCursorFactory, LossRecordFactory

__all__ = [
    "MONDAY",
    "AccountFactory",
    "AccountSnapshotFactory",
    "AccountStateFactory",
    "AccountTotalsFactory",
    "ArchiveRunFactory",
    "AuditBlockFactory",
    "AuditLogFactory",
    "BacktestPairFactory",
    "BacktestResultFactory",
    "BacktestRunFactory",
    "BacktestTradeFactory",
    "BackupRecordFactory",
    "CalendarSnapshotFactory",
    "CandleSnapshotFactory",
    "CashMovementFactory",
    "CorporateActionFactory",
    "DeadLetterFactory",
    "DecisionHistoryFactory",
    "FactFactory",
    "IdeaOutcomeFactory",
    "IndicatorSnapshotFactory",
    "JournalCursorFactory",
    "LedgerEntryFactory",
    "LossRecordFactory",
    "MarketRegimeFactory",
    "MarketResolutionFactory",
    "MetricSampleFactory",
    "ModelPerformanceFactory",
    "ModelPredictionFactory",
    "NewsSnapshotFactory",
    "OrderFactory",
    "OrderStatusEventFactory",
    "PeriodCheckpointFactory",
    "PortfolioHistoryFactory",
    "PortfolioSnapshotFactory",
    "PortfolioStateFactory",
    "PositionFactory",
    "PositionFillFactory",
    "PredictionEventFactory",
    "PredictionMarketFactory",
    "PredictionMarketSnapshotFactory",
    "PriceFactory",
    "PriceRevisionFactory",
    "ProfitPeakFactory",
    "ReconciliationBreakFactory",
    "RegimeHistoryFactory",
    "RiskConfigFactory",
    "RiskMetricsFactory",
    "ScheduledRunFactory",
    "SentimentDataFactory",
    "SignalArchiveFactory",
    "SignalFactory",
    "StrategyFactory",
    "SymbolFactory",
    "SystemMetadataFactory",
    "TradeFactory",
    "TradeIdeaFactory",
    "TradeSentimentFactory",
    "TradeStatusEventFactory",
    "TradingJournalFactory",
    "TradingPairFactory",
    "UserFactory",
    "factories",
    "later",
]


def factories() -> dict[type, type[DjangoModelFactory]]:
    """The factory of every model that has one."""
    found = (one for one in globals().values() if isinstance(one, type) and issubclass(one, DjangoModelFactory))
    return {one._meta.model: one for one in found if not one._meta.abstract}
