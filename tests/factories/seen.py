"""What the system saw when it decided, pairs, and archived signals."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import factory
from factory.django import DjangoModelFactory

from friren.persistence import handlers
from portfolio_manager.models import AccountSnapshot
from tests.factories.ground import MONDAY, AccountFactory, FactFactory, later
from tests.factories.trading import BacktestRunFactory, SymbolFactory
from trading_engine.models import (
    BacktestPair,
    CalendarSnapshot,
    CandleSnapshot,
    IndicatorSnapshot,
    NewsSnapshot,
    SignalArchive,
    TradingPair,
)
from trading_engine.snapshot_series import snapshot_fact


class SnapshotFactory(DjangoModelFactory):
    """Stores a row of a snapshot as its logger does, and returns it."""

    class Meta:
        abstract = True

    snapshot_ref = factory.LazyFunction(uuid.uuid4)
    captured_at = factory.Sequence(later)

    @classmethod
    def _create(cls, model_class, *_args, **values):
        fact = snapshot_fact(model_class, **values)
        handlers.apply(fact, using="default")
        return model_class.objects.get(id=fact.id)


class CandleSnapshotFactory(SnapshotFactory):
    class Meta:
        model = CandleSnapshot

    symbol = "AAPL"
    timeframe = "1h"
    open = Decimal("187.15")
    high = Decimal("188.44")
    low = Decimal("183.885")
    close = Decimal("187.32")
    volume = Decimal(82488700)


class IndicatorSnapshotFactory(SnapshotFactory):
    class Meta:
        model = IndicatorSnapshot

    symbol = "AAPL"
    timeframe = "1h"
    rsi_14 = 61.2
    sma_50 = Decimal("185.10")
    atr = Decimal("2.4")


class CalendarSnapshotFactory(SnapshotFactory):
    class Meta:
        model = CalendarSnapshot

    event_time = MONDAY + dt.timedelta(days=1)
    currency = "USD"
    impact_level = "high"
    title = "CPI m/m"
    previous_value = "0.1%"
    forecast_value = "0.2%"


class NewsSnapshotFactory(SnapshotFactory):
    class Meta:
        model = NewsSnapshot

    headline = factory.Sequence("Headline {}".format)
    source = "Reuters"
    symbols = ["AAPL"]
    published_at = MONDAY


class AccountSnapshotFactory(SnapshotFactory):
    class Meta:
        model = AccountSnapshot

    account = factory.SubFactory(AccountFactory)
    balance = Decimal("98125.80")
    equity = Decimal("100025.80")
    open_positions = 1


class TradingPairFactory(DjangoModelFactory):
    class Meta:
        model = TradingPair

    symbol_1 = factory.SubFactory(SymbolFactory)
    symbol_2 = factory.SubFactory(SymbolFactory)
    cointegration_pvalue = 0.013
    half_life = 21.4
    correlation = 0.93
    hedge_ratio = 1.27
    stability_score = 0.8


class BacktestPairFactory(DjangoModelFactory):
    class Meta:
        model = BacktestPair

    backtest = factory.SubFactory(BacktestRunFactory)
    account = factory.SelfAttribute("backtest.account")
    pair = factory.SubFactory(TradingPairFactory)


class SignalArchiveFactory(FactFactory):
    class Meta:
        model = SignalArchive

    account = factory.SubFactory(AccountFactory)
    archived_at = factory.Sequence(later)
    archive_month = "2024-01"
    signals_count = 2
    signals_data = [{"signal_type": "BUY"}, {"signal_type": "SELL"}]
