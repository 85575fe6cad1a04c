"""The trading floor."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import factory
from factory.django import DjangoModelFactory

from friren.core.ids import natural_id
from tests.factories.ground import MONDAY, AccountFactory, FactFactory, later
from trading_engine.models import (
    BacktestResult,
    BacktestRun,
    MarketRegime,
    Order,
    OrderStatusEvent,
    PredictionEvent,
    PredictionMarket,
    PredictionMarketSnapshot,
    Price,
    PriceRevision,
    RegimeHistory,
    Signal,
    Symbol,
    Trade,
    TradeStatusEvent,
)
from trading_engine.services import MarketRecorder, PriceRecorder


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


class PredictionMarketSnapshotFactory(DjangoModelFactory):
    class Meta:
        model = PredictionMarketSnapshot

    market_id = factory.LazyFunction(lambda: PredictionMarketFactory().market_id)
    timestamp = factory.Sequence(later)
    yes_price = Decimal("0.40")
    no_price = Decimal("0.60")
    volume = Decimal("31056779.914251")

    @classmethod
    def _create(cls, model_class, *_args, market_id, **values):
        receipt = MarketRecorder().log_market_snapshot(market=market_id, **values)
        return model_class.objects.get(id=receipt.id)


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
