"""A fact refers to rows of its own account only; what belongs to no account belongs to all."""

from __future__ import annotations

import datetime as dt

import pytest
from django.apps import apps
from django.db import models

import friren
from friren.core.models import Account, FactModel
from friren.errors import RejectedRecordError
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import CashMovement
from trading_engine.models import MarketRegime, Order, Signal, Trade
from trading_engine.services import RegimeLogger, SignalLogger, TradeLogger

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
ORDER = {"symbol": "AAPL", "action": "buy", "quantity": 10, "timestamp": NOON}
FILL = {**ORDER, "price": 187}
SIGNAL = {"symbol": "AAPL", "signal_type": "BUY", "timestamp": NOON}
# Their handlers look the row up in the event's account, or set it themselves.
BY_HANDLER = {("OrderStatusEvent", "order"), ("TradeStatusEvent", "trade"), ("RegimeHistory", "market_regime")}
# Set by a lifecycle, which looks the row up in the account.
BY_SERVICE = {("Signal", "trade"), ("TradeIdea", "order"), ("TradeIdea", "trade"), ("ReconciliationBreak", "trade")}


@pytest.fixture
def mine():
    return friren.open_account("mine")


@pytest.fixture
def others():
    return friren.open_account("others")


def test_every_reference_between_rows_of_accounts_is_watched() -> None:
    owned = {model for model in apps.get_models() if any(f.name == "account" for f in model._meta.concrete_fields)}
    references = {
        (model, field)
        for model in owned
        if issubclass(model, FactModel)
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and field.related_model in owned - {Account}
    }
    watched = {
        (model.__name__, trigger.name.removeprefix("same_account_"))
        for model in owned
        for trigger in getattr(model._meta, "triggers", [])
        if trigger.name.startswith("same_account_")
    }

    assert {(model.__name__, field.name) for model, field in references} == watched | BY_HANDLER | BY_SERVICE


@pytest.mark.parametrize("at_once", [False, True])
def test_a_fact_that_refers_to_another_account_is_refused(mine, others, at_once) -> None:
    order, signal = TradeLogger(others).log_order(**ORDER).id, SignalLogger(others).log_signal(**SIGNAL).id
    trade = TradeLogger(others).log_trade(**FILL).id
    RegimeLogger(others).log_regime_change(regime_type="BULL", timestamp=NOON)
    regime = MarketRegime.objects.get().id
    cash = PortfolioTracker(others).record_cash("DEPOSIT", 5, NOON).id
    trades, before = TradeLogger(mine), [model.objects.count() for model in (Trade, Order, Signal, CashMovement)]
    legs = {"entry_price": 1, "entry_timestamp": NOON, "exit_price": 2, "exit_timestamp": NOON}
    tries = [
        (lambda: trades.log_trade(**FILL, order=order), "order", order),
        (lambda: trades.log_order(**ORDER, signal=signal), "signal", signal),
        (lambda: SignalLogger(mine).log_signal(**SIGNAL, regime=regime), "regime", regime),
        (lambda: PortfolioTracker(mine).record_cash("DEPOSIT", 5, NOON, corrects=cash), "corrects", cash),
        (lambda: PortfolioTracker(mine).record_trade(**FILL, order=order), "order", order),
        (lambda: trades.correct_trade(trade, reason="x", corrected=FILL), "trade", trade),
        (lambda: trades.log_round_trip(symbol="AAPL", action="buy", quantity=1, order=order, **legs), "order", order),
    ]

    for call, field, value in tries[4:] if at_once else tries[:4]:
        with pytest.raises(RejectedRecordError) as caught:
            call()
        assert (caught.value.field, caught.value.value) == (field, value)
    assert [model.objects.count() for model in (Trade, Order, Signal, CashMovement)] == before


def test_a_fact_that_refers_to_its_own_account_or_to_the_market_is_stored(mine) -> None:
    RegimeLogger().log_regime_change(regime_type="BULL", timestamp=NOON)
    signal = SignalLogger(mine).log_signal(**SIGNAL, regime=MarketRegime.objects.get())
    order = TradeLogger(mine).log_order(**ORDER, signal=signal)

    TradeLogger(mine).log_trade(**FILL, order=order)

    assert Trade.objects.get().order.signal.regime.regime_type == "BULL"
