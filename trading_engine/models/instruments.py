"""What is traded: symbols, and the yes/no markets of prediction venues."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Q

from friren.core.fields import ChoiceField, MoneyField, PriceField, QuantityField
from friren.core.triggers import frozen_columns
from trading_engine.models.choices import Outcome
from trading_engine.models.relations import soft_key

__all__ = ["PredictionEvent", "PredictionMarket", "Symbol"]


class Symbol(models.Model):
    """An instrument: ticker at a venue ("" where the venue does not matter), its currency and multiplier."""

    ticker = models.CharField(max_length=100)
    venue = models.CharField(max_length=50, blank=True)
    name = models.CharField(max_length=255, blank=True)
    sector = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001 - the source has NULL
    exchange = models.CharField(max_length=50, null=True, blank=True)  # noqa: DJ001 - the source has NULL
    asset_type = models.CharField(max_length=50, null=True, blank=True)  # noqa: DJ001 - the source has NULL
    currency = models.CharField(max_length=10, default="USD")
    multiplier = QuantityField(positive=True, default=Decimal(1))
    tick_size = QuantityField(positive=True, null=True, blank=True)
    lot_size = QuantityField(positive=True, null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ticker", "venue"], name="unique_instrument"),
            models.CheckConstraint(
                condition=~Q(ticker="") & ~Q(currency=""),
                name="ck_symbol_named",
                violation_error_code="ticker",
                violation_error_message="ticker and currency must not be empty",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["sector"], name="symbol_sector"),
            models.Index(fields=["is_active"], name="symbol_active"),
        ]
        # The books are computed from these.
        triggers: ClassVar = [frozen_columns("ticker", "venue", "currency", "multiplier")]

    def __str__(self) -> str:
        return f"{self.ticker} ({self.name})" if self.name else self.ticker


class PredictionEvent(models.Model):
    """A question with one or more yes/no markets, as its venue describes it."""

    event_id = models.CharField(max_length=255, unique=True)
    title = models.TextField()
    slug = models.CharField(max_length=500, null=True, blank=True)  # noqa: DJ001 - the source has NULL
    liquidity = MoneyField(null=True, blank=True)
    volume = MoneyField(null=True, blank=True)
    volume24hr = MoneyField(null=True, blank=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    days_until_end = models.IntegerField(null=True, blank=True)
    event_data = models.JSONField(default=dict, blank=True)
    is_filtered = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["liquidity"], name="predevent_liquidity"),
            models.Index(fields=["volume"], name="predevent_volume"),
            models.Index(fields=["ends_at"], name="predevent_ends"),
        ]

    def __str__(self) -> str:
        return self.title


class PredictionMarket(models.Model):
    """A yes/no market: two tokens, each worth 1 or 0 when it is resolved."""

    market_id = models.CharField(max_length=255, unique=True)
    question = models.TextField()
    event = soft_key("trading_engine.PredictionEvent", "event_id", related_name="markets")
    event_title = models.TextField(blank=True)
    event_ends_at = models.DateTimeField(null=True, blank=True)
    liquidity = MoneyField(null=True, blank=True)
    volume = MoneyField(null=True, blank=True)
    volume24hr = MoneyField(null=True, blank=True)
    yes_price = PriceField(null=True, blank=True)
    no_price = PriceField(null=True, blank=True)
    market_conviction = PriceField(null=True, blank=True)
    yes_token_id = models.CharField(max_length=100, blank=True)
    no_token_id = models.CharField(max_length=100, blank=True)
    resolved_outcome = ChoiceField(max_length=10, choices=Outcome, blank=True)
    market_data = models.JSONField(default=dict, blank=True)
    is_filtered = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["event"], name="predmarket_event"),
            models.Index(fields=["liquidity"], name="predmarket_liquidity"),
            models.Index(fields=["volume"], name="predmarket_volume"),
        ]

    def __str__(self) -> str:
        return self.question
