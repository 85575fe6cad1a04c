"""
One factory per model: rows that are right in every detail, made the way the program makes them.

Accounts are opened, facts go through their handlers, bars through the recorder; only projections and reference rows
are written as they stand, since nothing but the books (or a person) makes those.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import factory
from factory.django import DjangoModelFactory

from friren.accounts import open_account
from friren.core.ids import natural_id, new_id
from friren.core.models import Account, AuditLog, SystemMetadata, User
from friren.core.numbers import quantize
from friren.persistence import handlers
from friren.persistence.facts import make_fact
from friren.persistence.models import DeadLetter, JournalCursor, LossRecord
from portfolio_manager.models import (
    AccountState,
    CashMovement,
    CorporateAction,
    LedgerEntry,
    MarketResolution,
    PeriodCheckpoint,
    Position,
    PositionFill,
    RiskMetrics,
)
from trading_engine.models import (
    BacktestResult,
    BacktestRun,
    MarketRegime,
    ModelPerformance,
    ModelPrediction,
    Order,
    OrderStatusEvent,
    PredictionEvent,
    PredictionMarket,
    Price,
    PriceRevision,
    RegimeHistory,
    SentimentData,
    Signal,
    Symbol,
    Trade,
    TradeSentiment,
    TradeStatusEvent,
)
from trading_engine.services import PriceRecorder

MONDAY = dt.datetime(2024, 1, 8, 14, 30, tzinfo=dt.UTC)


def later(number: int) -> dt.datetime:
    """A moment of its own for the nth row, the later the higher the number."""
    return MONDAY + dt.timedelta(minutes=number)


class FactFactory(DjangoModelFactory):
    """Stores a fact as a logger does, and returns its row."""

    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class, *_args, id=None, **values):  # noqa: A002 - the column's name
        fact = make_fact(model_class, id=id, **values)
        handlers.apply(fact, using="default")
        return model_class.objects.get(id=fact.id)


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User

    username = factory.Sequence("trader-{}".format)
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.org")
    password = "!"  # none; hashing one takes half a second


class AccountFactory(DjangoModelFactory):
    class Meta:
        model = Account

    owner = factory.SubFactory(UserFactory)
    name = factory.Sequence("book-{}".format)

    @classmethod
    def _create(cls, model_class, *_args, owner, **settings):
        return model_class.objects.get(id=open_account(owner=owner.username, **settings).id)


class SystemMetadataFactory(DjangoModelFactory):
    class Meta:
        model = SystemMetadata

    key = factory.Sequence("note-{}".format)
    value = "2024-01-08"


class JournalCursorFactory(DjangoModelFactory):
    class Meta:
        model = JournalCursor

    producer = factory.LazyFunction(new_id)
    label = "trading at db.example:5432"
    seq = 7
    stored = 5
    duplicates = 1
    dead_lettered = 1


class DeadLetterFactory(DjangoModelFactory):
    class Meta:
        model = DeadLetter

    producer = factory.LazyFunction(new_id)
    seq = factory.Sequence(lambda number: number + 1)
    fact_id = factory.LazyFunction(new_id)
    kind = "trade"
    payload = b'{"v":1,"kind":"trade","values":{"reasoning":"\x00\xff"}}'
    error_class = "RejectedRecordError"
    error = "quantity=Decimal('-5'): must be more than 0"


class LossRecordFactory(DjangoModelFactory):
    class Meta:
        model = LossRecord

    id = factory.LazyFunction(new_id)
    producer = factory.LazyFunction(new_id)
    kind = "signal"
    lost = 3
    first_at = factory.Sequence(later)
    last_at = factory.SelfAttribute("first_at")
    reason = "database and disk refused and the memory buffer was full"


class AuditLogFactory(FactFactory):
    class Meta:
        model = AuditLog

    occurred_at = factory.Sequence(later)
    actor = factory.SubFactory(UserFactory)
    actor_label = factory.SelfAttribute("actor.username")
    action = "UPDATE"
    model_label = "trading_engine.Symbol"
    object_pk = factory.Sequence(str)
    before = {"sector": None}
    after = {"sector": "Energy"}
    source = "admin"
    remote_addr = "127.0.0.1"


class SymbolFactory(DjangoModelFactory):
    class Meta:
        model = Symbol

    ticker = factory.Sequence("SYM{}".format)
    name = factory.LazyAttribute(lambda symbol: f"{symbol.ticker} Inc.")
    sector = "Technology"
    tick_size = Decimal("0.01")


class PriceFactory(DjangoModelFactory):
    class Meta:
        model = Price

    symbol = factory.SubFactory(SymbolFactory)
    timestamp = factory.Sequence(lambda number: MONDAY.replace(hour=0, minute=0) + dt.timedelta(days=number))
    open = Decimal("187.15")
    high = Decimal("188.44")
    low = Decimal("183.885")
    close = Decimal("187.32")
    volume = Decimal(82488700)

    @classmethod
    def _create(cls, model_class, *_args, symbol, **bar):
        stored = PriceRecorder().record_bars([bar], symbol=symbol)
        assert stored.stored == 1, stored
        return model_class.objects.get(symbol=symbol, timestamp=bar["timestamp"])


class PriceRevisionFactory(FactFactory):
    class Meta:
        model = PriceRevision

    price_id = factory.LazyFunction(lambda: PriceFactory().id)
    symbol = factory.SubFactory(SymbolFactory)
    timestamp = factory.Sequence(later)
    timeframe = "1d"
    source = "yahoo"
    open = Decimal("187.15")
    high = Decimal("188.44")
    low = Decimal("183.885")
    close = Decimal("187.33")
    volume = Decimal(82488700)
    revised_at = factory.Sequence(later)
    reason = "corrected by the source"


class MarketRegimeFactory(DjangoModelFactory):
    class Meta:
        model = MarketRegime

    id = factory.LazyAttribute(lambda regime: natural_id("market_regime", regime.detector, regime.started_at))
    detector = factory.Sequence("detector-{}".format)
    started_at = factory.Sequence(later)
    regime_type = "BULL"
    vix_average = 13.25


class RegimeHistoryFactory(FactFactory):
    class Meta:
        model = RegimeHistory

    timestamp = factory.Sequence(later)
    detector = factory.Sequence("seen-by-{}".format)
    regime_type = "CRISIS"
    confidence_score = 0.8
    indicators_used = {"vix": 41.5}


class PredictionEventFactory(DjangoModelFactory):
    class Meta:
        model = PredictionEvent

    event_id = factory.Sequence("event-{}".format)
    title = "Who wins the election?"
    liquidity = Decimal("12345.678900")


class PredictionMarketFactory(DjangoModelFactory):
    class Meta:
        model = PredictionMarket

    market_id = factory.Sequence("market-{}".format)
    question = "Does the incumbent win?"
    yes_price = Decimal("0.40")
    no_price = Decimal("0.60")


class SignalFactory(FactFactory):
    class Meta:
        model = Signal

    account = factory.SubFactory(AccountFactory)
    symbol = factory.SubFactory(SymbolFactory)
    timestamp = factory.Sequence(later)
    signal_type = "BUY"
    strategy_name = "sma_cross"
    confidence_score = 0.71


class OrderFactory(FactFactory):
    class Meta:
        model = Order

    account = factory.SubFactory(AccountFactory)
    symbol = factory.SubFactory(SymbolFactory)
    action = "buy"
    type = "LIMIT"
    quantity = Decimal(10)
    limit_price = Decimal("187.50")
    requested_at = factory.Sequence(later)
    strategy_used = "sma_cross"


class OrderStatusEventFactory(FactFactory):
    class Meta:
        model = OrderStatusEvent

    order = factory.SubFactory(OrderFactory)
    account = factory.SelfAttribute("order.account")
    to_status = "submitted"
    occurred_at = factory.Sequence(later)


class TradeFactory(FactFactory):
    class Meta:
        model = Trade

    account = factory.SubFactory(AccountFactory)
    symbol = factory.SubFactory(SymbolFactory)
    action = "buy"
    quantity = Decimal(10)
    price = Decimal("187.32")
    commission = Decimal(1)
    commission_currency = "USD"
    executed_at = factory.Sequence(later)
    strategy_used = "sma_cross"
    shap_values = {"rsi": 0.12}


class TradeStatusEventFactory(FactFactory):
    class Meta:
        model = TradeStatusEvent

    trade = factory.SubFactory(TradeFactory)
    account = factory.SelfAttribute("trade.account")
    to_status = "settled"
    occurred_at = factory.Sequence(later)


class SentimentDataFactory(FactFactory):
    class Meta:
        model = SentimentData

    timestamp = factory.Sequence(later)
    symbol = factory.SubFactory(SymbolFactory)
    news_source = "Reuters"
    headline = factory.Sequence("Headline {}".format)
    sentiment_score = 0.42
    confidence = 0.9
    finbert_scores = {"positive": 0.9, "neutral": 0.08, "negative": 0.02}
    model_id = "finbert"


class TradeSentimentFactory(DjangoModelFactory):
    class Meta:
        model = TradeSentiment

    trade = factory.SubFactory(TradeFactory)
    account = factory.SelfAttribute("trade.account")
    sentiment = factory.SubFactory(SentimentDataFactory, symbol=factory.SelfAttribute("..trade.symbol"))


class ModelPerformanceFactory(FactFactory):
    class Meta:
        model = ModelPerformance

    model_id = "xgboost"
    model_version = "7"
    timestamp = factory.Sequence(later)
    accuracy_score = 0.61
    total_trades = 40
    profitable_trades = 23
    features_used = ["rsi", "vix"]
    shap_summary = {"rsi": 0.31}


class ModelPredictionFactory(FactFactory):
    class Meta:
        model = ModelPrediction

    model_id = "xgboost"
    model_version = "7"
    timestamp = factory.Sequence(later)
    symbol = factory.SubFactory(SymbolFactory)
    predicted = {"direction": "up"}
    confidence = 0.7
    features = {"rsi": 61.2}


class BacktestRunFactory(DjangoModelFactory):
    class Meta:
        model = BacktestRun

    account = factory.SubFactory(AccountFactory, environment="BACKTEST")
    name = factory.Sequence("run {}".format)
    strategy_name = "sma_cross"
    starts_at = MONDAY
    ends_at = MONDAY + dt.timedelta(days=365)
    parameters = {"fast": 20, "slow": 50}


class BacktestResultFactory(DjangoModelFactory):
    class Meta:
        model = BacktestResult

    backtest = factory.SubFactory(BacktestRunFactory)
    account = factory.SelfAttribute("backtest.account")
    total_return = 0.125
    sharpe_ratio = 1.1
    max_drawdown = -0.08
    trade_count = 42
    detailed_metrics = {"calmar": 1.56}


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


def factories() -> dict[type, type[DjangoModelFactory]]:
    """The factory of every model that has one."""
    found = (one for one in globals().values() if isinstance(one, type) and issubclass(one, DjangoModelFactory))
    return {one._meta.model: one for one in found if not one._meta.abstract}
