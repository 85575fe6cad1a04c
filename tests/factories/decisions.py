"""Strategies, ideas, decisions, and how books stood."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import uuid4

import factory
from factory.django import DjangoModelFactory

from friren.core.ids import natural_id
from portfolio_manager.models import (
    AccountTotals,
    BacktestTrade,
    DecisionHistory,
    IdeaOutcome,
    PortfolioHistory,
    PortfolioSnapshot,
    PortfolioState,
    ReconciliationBreak,
    RiskConfig,
    Strategy,
    TradeIdea,
    TradingJournal,
)
from tests.factories.books import AccountStateFactory, PositionFactory
from tests.factories.ground import MONDAY, AccountFactory, FactFactory, UserFactory, later
from tests.factories.trading import SymbolFactory, TradeFactory


class StrategyFactory(DjangoModelFactory):
    class Meta:
        model = Strategy

    name = factory.Sequence("strategy-{}".format)
    allowed_symbols = ["AAPL", "MSFT"]
    session_windows = [{"days": ["Mon"], "start": "09:30", "end": "16:00", "timezone": "America/New_York"}]
    risk_caps = {"max_lot_size": "10"}
    rr_expectation = Decimal(2)


class RiskConfigFactory(DjangoModelFactory):
    class Meta:
        model = RiskConfig
        django_get_or_create = ("id",)

    id = 1


class TradeIdeaFactory(FactFactory):
    class Meta:
        model = TradeIdea

    account = factory.SubFactory(AccountFactory)
    symbol = factory.SubFactory(SymbolFactory)
    direction = "long"
    entry_price = Decimal("187.50")
    stop_loss = Decimal(180)
    take_profit = Decimal(200)
    quantity = Decimal(10)
    confidence_score = 0.82
    rationale = "momentum"
    proposed_at = factory.Sequence(later)


class DecisionHistoryFactory(FactFactory):
    class Meta:
        model = DecisionHistory

    trade_idea = factory.SubFactory(TradeIdeaFactory)
    account = factory.SelfAttribute("trade_idea.account")
    symbol = factory.SelfAttribute("trade_idea.symbol")
    action = "ai_proposed"
    to_status = "waiting"
    occurred_at = factory.Sequence(later)
    risk_check_result = {"passed": True}


class IdeaOutcomeFactory(FactFactory):
    class Meta:
        model = IdeaOutcome

    trade_idea = factory.SubFactory(TradeIdeaFactory)
    account = factory.SelfAttribute("trade_idea.account")
    due_at = factory.Sequence(later)
    evaluated_at = factory.Sequence(later)
    timeframe = "1d"
    source = "yahoo"
    price_after = Decimal("191.20")
    price_after_at = factory.Sequence(later)
    reached = True
    entry_price = Decimal("187.50")
    entered_at = MONDAY
    exit_price = Decimal(200)
    exited_at = factory.Sequence(later)
    exit_reason = "TARGET"
    pnl_per_unit = Decimal("12.50")
    pnl = Decimal(125)


class PortfolioSnapshotFactory(DjangoModelFactory):
    class Meta:
        model = PortfolioSnapshot

    account = factory.SubFactory(AccountFactory)
    kind = "INTRADAY"
    timestamp = factory.Sequence(later)
    id = factory.LazyAttribute(lambda one: natural_id("portfolio_snapshot", one.account.id, one.kind, one.timestamp))
    balance = Decimal("98125.80")
    total_invested = Decimal(1900)
    total_profit_loss = Decimal("26.80")
    total_value = Decimal("100025.80")
    open_positions = 1
    trade_count = 1


class PortfolioHistoryFactory(PortfolioSnapshotFactory):
    class Meta:
        model = PortfolioHistory

    kind = "DAILY"
    snapshot_date = factory.Sequence(lambda number: MONDAY.date() + dt.timedelta(days=number))


class AccountTotalsFactory(PortfolioSnapshotFactory):
    class Meta:
        model = AccountTotals

    kind = "ACCOUNT_TOTALS"
    balance = None
    source = "nof1"


class PortfolioStateFactory(AccountStateFactory):
    class Meta:
        model = PortfolioState


class BacktestTradeFactory(PositionFactory):
    class Meta:
        model = BacktestTrade

    trade = factory.SubFactory(TradeFactory, account__environment="BACKTEST")


class TradingJournalFactory(DjangoModelFactory):
    class Meta:
        model = TradingJournal

    user = factory.SubFactory(UserFactory)
    title = factory.Sequence("Entry {}".format)
    content = "Sold too early."


class ReconciliationBreakFactory(FactFactory):
    class Meta:
        model = ReconciliationBreak

    account = factory.SubFactory(AccountFactory)
    run_id = factory.LazyFunction(uuid4)
    kind = "DIFFERING"
    statement = "statement.json"
    venue = "IBKR"
    external_id = factory.Sequence("fill {}".format)
    field = "price"
    ours = "187.32"
    theirs = "187.42"
    payload = {"about": "trade", "subject": "fill:IBKR:1"}
    found_at = factory.Sequence(later)
