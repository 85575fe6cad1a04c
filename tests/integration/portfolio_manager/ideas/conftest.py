"""A book, its services, and limits under which trading goes on."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

import friren
from portfolio_manager.data_logger import TradeIdeaService
from portfolio_manager.models import RiskConfig
from tests.factories import UserFactory
from trading_engine.backtesting.sample_bars import sample_series
from trading_engine.services import PriceRecorder


@pytest.fixture
def book():
    return friren.open_account("ideas", starting_cash=Decimal(100_000))


@pytest.fixture
def service(book):
    return TradeIdeaService(book)


@pytest.fixture
def config() -> RiskConfig:
    found = RiskConfig.load()
    found.ai_trading_enabled, found.max_lot_size, found.min_confidence_threshold = True, Decimal(10), Decimal("0.7")
    found.save()
    return found


@pytest.fixture
def reviewer():
    return UserFactory(username="ada")


@pytest.fixture(scope="session")
def autumn_2008():
    """The S&P 500 from August to December 2008, as it was."""
    first, last = dt.datetime(2008, 8, 1, tzinfo=dt.UTC), dt.datetime(2008, 12, 31, tzinfo=dt.UTC)
    return [bar for bar in sample_series()["SP500"] if first <= bar.timestamp <= last]


@pytest.fixture
def bars(autumn_2008):
    """The same, stored; by day."""
    assert PriceRecorder().record_bars(autumn_2008).stored == len(autumn_2008)
    return {bar.timestamp.date().isoformat(): bar for bar in autumn_2008}
