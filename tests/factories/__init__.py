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
    RiskMetricsFactory,
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
from tests.factories.trading import (
    BacktestResultFactory,
    BacktestRunFactory,
    MarketRegimeFactory,
    OrderFactory,
    OrderStatusEventFactory,
    PredictionEventFactory,
    PredictionMarketFactory,
    PriceFactory,
    PriceRevisionFactory,
    RegimeHistoryFactory,
    SignalFactory,
    SymbolFactory,
    TradeFactory,
    TradeStatusEventFactory,
)

__all__ = [
    "MONDAY",
    "AccountFactory",
    "AccountStateFactory",
    "AuditLogFactory",
    "BacktestResultFactory",
    "BacktestRunFactory",
    "CashMovementFactory",
    "CorporateActionFactory",
    "FactFactory",
    "LedgerEntryFactory",
    "MarketRegimeFactory",
    "MarketResolutionFactory",
    "OrderFactory",
    "OrderStatusEventFactory",
    "PeriodCheckpointFactory",
    "PositionFactory",
    "PositionFillFactory",
    "PredictionEventFactory",
    "PredictionMarketFactory",
    "PriceFactory",
    "PriceRevisionFactory",
    "RegimeHistoryFactory",
    "RiskMetricsFactory",
    "SignalFactory",
    "SymbolFactory",
    "SystemMetadataFactory",
    "TradeFactory",
    "TradeStatusEventFactory",
    "UserFactory",
    "factories",
    "later",
]


def factories() -> dict[type, type[DjangoModelFactory]]:
    """The factory of every model that has one."""
    found = (one for one in globals().values() if isinstance(one, type) and issubclass(one, DjangoModelFactory))
    return {one._meta.model: one for one in found if not one._meta.abstract}
