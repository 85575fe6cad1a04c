"""Bars, as they came: raw prices, one row per symbol, source, timeframe and moment."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from friren.core.fields import PriceField, QuantityField
from friren.core.models import FactModel, SeriesModel
from friren.core.triggers import fact_triggers
from trading_engine.models.relations import fact_key

__all__ = ["Price", "PriceRevision"]


class Price(SeriesModel):
    """
    A raw bar. The only series whose rows may be replaced, by a revision that keeps the old values.

    There is no rule that open and close lie within low and high: real VIX and SPY rows break it.
    Such bars are stored and marked `is_suspect`.
    """

    revised = True

    symbol = fact_key("trading_engine.Symbol", related_name="prices")
    timestamp = models.DateTimeField()
    timeframe = models.CharField(max_length=8, default="1d")
    open = PriceField()
    high = PriceField()
    low = PriceField()
    close = PriceField()
    volume = QuantityField()
    adjusted_close = PriceField(null=True, blank=True)
    source = models.CharField(max_length=50, default="yahoo")
    is_suspect = models.BooleanField(default=False)

    class Meta(SeriesModel.Meta):
        ordering: ClassVar = ["timestamp"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["symbol", "timestamp", "source", "timeframe"], name="unique_price_point"),
            models.CheckConstraint(
                condition=Q(high__gte=F("low")),
                name="ck_price_range",
                violation_error_code="high",
                violation_error_message="must not be below low",
            ),
        ]
        indexes: ClassVar = [BrinIndex(fields=["timestamp"], name="price_time_brin")]

    def __str__(self) -> str:
        return f"{self.symbol_id} {self.timeframe} {self.timestamp:%Y-%m-%d %H:%M}"


class PriceRevision(FactModel):
    """The values that a revision of a bar replaced."""

    price_id = models.UUIDField()
    symbol = fact_key("trading_engine.Symbol", related_name="price_revisions")
    timestamp = models.DateTimeField()
    timeframe = models.CharField(max_length=8)
    source = models.CharField(max_length=50)
    open = PriceField()
    high = PriceField()
    low = PriceField()
    close = PriceField()
    volume = QuantityField()
    adjusted_close = PriceField(null=True, blank=True)
    revised_at = models.DateTimeField()
    reason = models.TextField(blank=True)

    class Meta(FactModel.Meta):
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["price_id"], name="pricerevision_price"),
            models.Index(fields=["symbol", "timestamp"], name="pricerevision_point"),
        ]
        triggers: ClassVar = fact_triggers()

    def __str__(self) -> str:
        return f"{self.symbol_id} {self.timeframe} {self.timestamp:%Y-%m-%d %H:%M} revised {self.revised_at:%Y-%m-%d}"
