"""Market regimes: what a detector saw at a moment, and the intervals that follow from it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from friren.core.fields import ChoiceField, RatioField, StatField
from friren.core.models import FactModel
from friren.core.triggers import fact_triggers
from trading_engine.models.choices import RegimeType
from trading_engine.models.relations import fact_key

__all__ = ["MarketRegime", "RegimeHistory"]


class MarketRegime(models.Model):
    """
    An interval of one regime, kept by `log_regime_change`; at most one is open per (account, detector, symbol).

    A null account or symbol means the whole market. The id is the UUIDv5 of (account, detector, symbol, start).
    """

    id = models.UUIDField(primary_key=True, editable=False)
    account = fact_key("core.Account", optional=True)
    detector = models.CharField(max_length=50, default="MANUAL")
    symbol = fact_key("trading_engine.Symbol", related_name="market_regimes", optional=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    regime_type = ChoiceField(max_length=20, choices=RegimeType)
    vix_average = StatField(null=True, blank=True)
    volatility_score = StatField(null=True, blank=True)
    macro_score = StatField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "detector", "symbol"],
                name="one_open_regime",
                nulls_distinct=False,
                condition=Q(ended_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("started_at")),
                name="ck_regime_interval",
                violation_error_code="ended_at",
                violation_error_message="must not be before started_at",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["started_at", "ended_at"], name="marketregime_interval"),
            models.Index(fields=["regime_type"], name="marketregime_type"),
        ]

    def __str__(self) -> str:
        end = f"{self.ended_at:%Y-%m-%d}" if self.ended_at else "current"
        return f"{self.regime_type} ({self.started_at:%Y-%m-%d} to {end})"


class RegimeHistory(FactModel):
    """What a detector saw at one moment."""

    # The interval an observation belongs to is worked out by the handler, not told by the caller.
    undigested = ("market_regime", "previous_regime_type")

    account = fact_key("core.Account", optional=True)
    timestamp = models.DateTimeField()
    detector = models.CharField(max_length=50, default="MANUAL")
    symbol = fact_key("trading_engine.Symbol", related_name="regime_history", optional=True)
    regime_type = ChoiceField(max_length=20, choices=RegimeType)
    previous_regime_type = ChoiceField(max_length=20, choices=RegimeType, blank=True)
    confidence_score = RatioField(null=True, blank=True)
    indicators_used = models.JSONField(default=dict, blank=True)
    transition_reason = models.TextField(blank=True)
    vix_average = StatField(null=True, blank=True)
    volatility_score = StatField(null=True, blank=True)
    macro_score = StatField(null=True, blank=True)
    market_regime = fact_key("trading_engine.MarketRegime", related_name="observations", optional=True)

    class Meta(FactModel.Meta):
        verbose_name_plural = "Regime history"
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["account", "detector", "symbol", "-timestamp"], name="regime_by_detector"),
            models.Index(fields=["-timestamp"], name="regime_by_time"),
            models.Index(fields=["regime_type", "-timestamp"], name="regime_by_type"),
            models.Index(fields=["market_regime"], name="regime_by_interval"),
        ]
        triggers: ClassVar = fact_triggers()

    def __str__(self) -> str:
        return f"{self.regime_type} by {self.detector} at {self.timestamp:%Y-%m-%d %H:%M}"
