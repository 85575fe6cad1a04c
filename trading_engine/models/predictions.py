"""The yes/no markets of prediction venues: what they are about, how they stand, and how they stood."""

from __future__ import annotations

from typing import ClassVar, Final, Self

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from friren.core.fields import ChoiceField, MoneyField, PriceField
from friren.core.models import SeriesModel
from friren.core.triggers import fact_triggers
from trading_engine.models.choices import Outcome
from trading_engine.models.relations import soft_key

__all__ = ["PredictionEvent", "PredictionMarket", "PredictionMarketSnapshot"]

TOLD_AT: Final = "When the venue changed it last, as the venue tells; of two tellings the later holds."


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
    told_at = models.DateTimeField(null=True, blank=True, help_text=TOLD_AT)
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


class PredictionMarketQuerySet(models.QuerySet["PredictionMarket"]):
    """Markets by what may be done with them."""

    def tradable(self) -> Self:
        """Return the markets that are looked at, have prices and are not decided."""
        return self.filter(is_filtered=True, resolved_outcome="", yes_price__isnull=False, no_price__isnull=False)

    def resolved(self) -> Self:
        """Return the markets that are decided."""
        return self.exclude(resolved_outcome="")


class PredictionMarket(models.Model):
    """A yes/no market: two tokens, each worth 1 or 0 when it is resolved."""

    # Told once and for all, whatever else of a market moves.
    facts: ClassVar[tuple[str, ...]] = ("condition_id", "yes_token_id", "no_token_id", "resolved_outcome")

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
    condition_id = models.CharField(max_length=100, blank=True, help_text="Its key at the exchange that trades it.")
    yes_token_id = models.CharField(max_length=100, blank=True)
    no_token_id = models.CharField(max_length=100, blank=True)
    resolved_outcome = ChoiceField(max_length=10, choices=Outcome, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    market_data = models.JSONField(default=dict, blank=True)
    is_filtered = models.BooleanField(default=True)
    told_at = models.DateTimeField(null=True, blank=True, help_text=TOLD_AT)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PredictionMarketQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["event"], name="predmarket_event"),
            models.Index(fields=["liquidity"], name="predmarket_liquidity"),
            models.Index(fields=["volume"], name="predmarket_volume"),
            models.Index(fields=["condition_id"], name="predmarket_condition", condition=~Q(condition_id="")),
        ]

    def __str__(self) -> str:
        return self.question


class PredictionMarketSnapshot(SeriesModel):
    """How a market stood at a moment. The id is the UUIDv5 of (market, timestamp)."""

    market = soft_key("trading_engine.PredictionMarket", "market_id", related_name="snapshots", optional=False)
    timestamp = models.DateTimeField()
    yes_price = PriceField(null=True, blank=True)
    no_price = PriceField(null=True, blank=True)
    liquidity = MoneyField(null=True, blank=True)
    volume = MoneyField(null=True, blank=True)
    volume24hr = MoneyField(null=True, blank=True)
    market_conviction = PriceField(null=True, blank=True)

    class Meta(SeriesModel.Meta):
        indexes: ClassVar = [
            BrinIndex(fields=["timestamp"], name="predsnapshot_time_brin"),
            models.Index(fields=["market", "-timestamp"], name="predsnapshot_by_market"),
        ]
        triggers: ClassVar = fact_triggers()

    def __str__(self) -> str:
        return f"{self.market_id} at {self.timestamp:%Y-%m-%d %H:%M}"
