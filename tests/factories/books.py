"""The portfolio floor: facts beside trades, and the books as they stand after one trade."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import factory
from factory.django import DjangoModelFactory

from friren.core.ids import natural_id
from friren.core.numbers import quantize
from portfolio_manager.models import (
    AccountState,
    CashMovement,
    CorporateAction,
    LedgerEntry,
    MarketResolution,
    PeriodCheckpoint,
    Position,
    PositionFill,
    ProfitPeak,
    RiskMetrics,
)
from tests.factories.ground import MONDAY, AccountFactory, FactFactory, later
from tests.factories.trading import SymbolFactory, TradeFactory


class CashMovementFactory(FactFactory):
    class Meta:
        model = CashMovement

    account = factory.SubFactory(AccountFactory)
    kind = "DEPOSIT"
    currency = "USD"
    amount = Decimal(1000)
    occurred_at = factory.Sequence(later)


class CorporateActionFactory(FactFactory):
    class Meta:
        model = CorporateAction

    account = factory.SubFactory(AccountFactory)
    symbol = factory.SubFactory(SymbolFactory)
    kind = "SPLIT"
    ratio = Decimal(4)
    effective_at = factory.Sequence(later)


class MarketResolutionFactory(FactFactory):
    class Meta:
        model = MarketResolution

    account = factory.SubFactory(AccountFactory)
    market = factory.Sequence("elsewhere-{}".format)  # a market that is not stored here
    outcome = "YES"
    yes_payout = Decimal(1)
    resolved_at = factory.Sequence(later)


class PeriodCheckpointFactory(FactFactory):
    class Meta:
        model = PeriodCheckpoint

    account = factory.SubFactory(AccountFactory)
    closes_at = factory.Sequence(later)
    cash = Decimal("98126.80")
    trade_count = 1
    facts_digest = b"\x00" * 32


class PositionFactory(DjangoModelFactory):
    class Meta:
        model = Position

    trade = factory.SubFactory(TradeFactory)
    id = factory.LazyAttribute(lambda position: natural_id("position", position.trade.id))
    account = factory.SelfAttribute("trade.account")
    symbol = factory.SelfAttribute("trade.symbol")
    strategy_used = factory.SelfAttribute("trade.strategy_used")
    side = "LONG"
    quantity = factory.SelfAttribute("trade.quantity")
    opened_quantity = factory.SelfAttribute("trade.quantity")
    total_cost = factory.LazyAttribute(lambda position: quantize(position.trade.quantity * position.trade.price))
    opened_cost = factory.SelfAttribute("total_cost")
    commission = Decimal(1)
    opened_at = factory.SelfAttribute("trade.executed_at")
    current_price = Decimal("190.00")
    current_value = Decimal(1900)
    unrealized_pnl = Decimal("26.80")
    marked_at = factory.SelfAttribute("opened_at")


class PositionFillFactory(DjangoModelFactory):
    class Meta:
        model = PositionFill

    position = factory.SubFactory(PositionFactory)
    trade = factory.SelfAttribute("position.trade")
    id = factory.LazyAttribute(lambda fill: natural_id("position_fill", fill.trade.id, fill.leg))
    account = factory.SelfAttribute("position.account")
    leg = 0
    role = "OPEN"
    executed_at = factory.SelfAttribute("position.opened_at")
    quantity = factory.SelfAttribute("position.quantity")
    cost = factory.SelfAttribute("position.total_cost")
    commission = factory.SelfAttribute("position.commission")
    quantity_after = factory.SelfAttribute("position.quantity")
    total_cost_after = factory.SelfAttribute("position.total_cost")
    realized_pnl_after = Decimal(0)


class LedgerEntryFactory(DjangoModelFactory):
    class Meta:
        model = LedgerEntry

    position = factory.SubFactory(PositionFactory)
    trade = factory.SelfAttribute("position.trade")
    id = factory.LazyAttribute(lambda entry: natural_id("ledger_entry", entry.trade.id, entry.kind))
    account = factory.SelfAttribute("position.account")
    kind = "FILL"
    currency = "USD"
    amount = factory.LazyAttribute(lambda entry: -entry.position.total_cost)
    occurred_at = factory.SelfAttribute("position.opened_at")


class AccountStateFactory(DjangoModelFactory):
    class Meta:
        model = AccountState

    account = factory.SubFactory(AccountFactory)
    balance = Decimal("98125.80")
    trade_count = 1


class RiskMetricsFactory(DjangoModelFactory):
    class Meta:
        model = RiskMetrics

    account = factory.SubFactory(AccountFactory)
    as_of_date = factory.Sequence(lambda number: MONDAY.date() + dt.timedelta(days=number))
    id = factory.LazyAttribute(lambda risk: natural_id("risk_metrics", risk.account.id, risk.as_of_date))
    timestamp = factory.Sequence(later)
    portfolio_value = Decimal(100025)
    total_exposure = Decimal(1900)
    correlation_risk = Decimal("0.25")


class ProfitPeakFactory(DjangoModelFactory):
    class Meta:
        model = ProfitPeak

    account = factory.SubFactory(AccountFactory)
    until = MONDAY
    booked_seq = 1
    profit = Decimal(250)
    highest = Decimal(400)
