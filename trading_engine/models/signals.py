"""Signals: advice to trade, whether it was taken or not."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from friren.core.fields import ChoiceField, MoneyField, PriceField, RatioField, StatField
from friren.core.models import FactModel
from friren.core.triggers import fact_triggers, same_account
from trading_engine.models.choices import SignalKind, SignalType
from trading_engine.models.relations import fact_key, soft_key

__all__ = ["Signal"]

PAIR_FIELDS = ("pair", "z_score", "spread_value")
PREDICTION_FIELDS = ("market", "target_price", "amount", "yes_price", "no_price", "confidence_score")


class Signal(FactModel):
    """Advice to trade. `processed` and `executed` (with `executed_at` and `trade`) move once each, never back."""

    lifecycle = ("processed", "processed_at", "executed", "executed_at", "trade")

    account = fact_key("core.Account")
    kind = ChoiceField(max_length=12, choices=SignalKind, default=SignalKind.EQUITY)
    timestamp = models.DateTimeField()
    symbol = fact_key("trading_engine.Symbol", related_name="signals", optional=True)
    pair = fact_key("trading_engine.TradingPair", related_name="signals", optional=True)
    market = soft_key("trading_engine.PredictionMarket", "market_id", related_name="signals")
    market_question = models.TextField(blank=True)
    strategy_name = models.CharField(max_length=255, blank=True)
    signal_type = ChoiceField(max_length=20, choices=SignalType)
    z_score = StatField(null=True, blank=True)
    spread_value = StatField(null=True, blank=True)
    target_price = PriceField(null=True, blank=True)
    amount = MoneyField(null=True, blank=True)
    yes_price = PriceField(null=True, blank=True)
    no_price = PriceField(null=True, blank=True)
    market_liquidity = MoneyField(null=True, blank=True)
    market_volume = MoneyField(null=True, blank=True)
    event = soft_key("trading_engine.PredictionEvent", "event_id", related_name="signals")
    event_title = models.TextField(blank=True)
    event_ends_at = models.DateTimeField(null=True, blank=True)
    confidence_score = RatioField(null=True, blank=True)
    reasoning = models.TextField(blank=True)
    regime = fact_key("trading_engine.MarketRegime", related_name="signals", optional=True)
    processed = models.BooleanField(default=False)
    processed_at = models.DateTimeField(null=True, blank=True)
    executed = models.BooleanField(default=False)
    executed_at = models.DateTimeField(null=True, blank=True)
    trade = models.OneToOneField(
        "trading_engine.Trade", on_delete=models.PROTECT, null=True, blank=True, related_name="signal"
    )
    batch_id = models.UUIDField(null=True, blank=True)
    extra = models.JSONField(default=dict, blank=True)

    class Meta(FactModel.Meta):
        ordering: ClassVar = ["-timestamp"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(kind=SignalKind.EQUITY) | Q(symbol__isnull=False),
                name="ck_signal_equity",
                violation_error_code="symbol",
                violation_error_message="an EQUITY signal needs a symbol",
            ),
            models.CheckConstraint(
                condition=~Q(kind=SignalKind.PAIR) | Q(**{f"{field}__isnull": False for field in PAIR_FIELDS}),
                name="ck_signal_pair",
                violation_error_code="pair",
                violation_error_message=f"a PAIR signal needs {', '.join(PAIR_FIELDS)}",
            ),
            models.CheckConstraint(
                condition=~Q(kind=SignalKind.PREDICTION)
                | Q(**{f"{field}__isnull": False for field in PREDICTION_FIELDS}),
                name="ck_signal_prediction",
                violation_error_code="market",
                violation_error_message=f"a PREDICTION signal needs {', '.join(PREDICTION_FIELDS)}",
            ),
            models.CheckConstraint(
                condition=Q(executed=True, executed_at__isnull=False) | Q(executed=False, executed_at__isnull=True),
                name="ck_signal_executed",
                violation_error_code="executed_at",
                violation_error_message="is set exactly when the signal is executed",
            ),
            models.CheckConstraint(
                condition=Q(trade__isnull=True) | Q(executed=True),
                name="ck_signal_trade",
                violation_error_code="trade",
                violation_error_message="only an executed signal has a trade",
            ),
        ]
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["account", "-timestamp"], name="signal_by_account"),
            models.Index(fields=["symbol", "-timestamp"], name="signal_by_symbol"),
            models.Index(fields=["pair", "timestamp"], name="signal_by_pair"),
            models.Index(fields=["market"], name="signal_by_market", condition=Q(market__isnull=False)),
            models.Index(fields=["signal_type"], name="signal_by_type"),
            models.Index(fields=["timestamp"], name="signal_unprocessed", condition=Q(processed=False)),
            models.Index(fields=["executed"], name="signal_executed"),
            models.Index(fields=["regime"], name="signal_by_regime"),
            models.Index(fields=["batch_id"], name="signal_by_batch"),
        ]
        triggers: ClassVar = [
            *fact_triggers(lifecycle=("processed", "processed_at", "executed", "executed_at", "trade")),
            same_account("regime", "trading_engine_marketregime"),
        ]

    def __str__(self) -> str:
        return f"{self.signal_type} by {self.strategy_name or 'unnamed'} at {self.timestamp:%Y-%m-%d %H:%M}"
