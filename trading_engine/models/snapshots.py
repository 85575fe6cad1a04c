"""
What the system saw when it decided: candles, indicators, calendar and news, as they were captured.

The rows of one decision share a `snapshot_ref`; the fifth kind, the account, is of the portfolio floor. They keep names
as they were shown, and refer to nothing: what was seen stays what it was. Kept for 30 days.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.db import models

from friren.core.fields import BoundedDecimalField, ChoiceField, PriceField, QuantityField
from friren.core.models import SeriesModel
from friren.core.triggers import fact_triggers
from trading_engine.models.choices import Impact

__all__ = ["CalendarSnapshot", "CandleSnapshot", "IndicatorSnapshot", "NewsSnapshot", "Snapshot"]

# Months are found by BRIN; the newest rows of a list, and those of one decision, by the others.
SNAPSHOT_INDEXES: Final = (
    BrinIndex(fields=["captured_at"], name="%(class)s_time_brin"),
    models.Index(fields=["captured_at"], name="%(class)s_captured"),
    models.Index(fields=["snapshot_ref"], name="%(class)s_ref"),
)


class Snapshot(SeriesModel):
    """A row of a snapshot. Its id is the UUIDv5 of (snapshot_ref, what it shows, captured_at)."""

    time_field = "captured_at"
    # The columns that say what a row shows, and the model's own order of them is for ever: ids hang on it.
    shows: ClassVar[tuple[str, ...]] = ()

    snapshot_ref = models.UUIDField(null=True, blank=True)
    captured_at = models.DateTimeField()

    class Meta(SeriesModel.Meta):
        abstract = True
        indexes: ClassVar = [*SNAPSHOT_INDEXES]
        triggers: ClassVar = fact_triggers()


class CandleSnapshot(Snapshot):
    """The last candle of a symbol as it was shown; `Price` holds what became of it."""

    shows = ("symbol", "timeframe")

    symbol = models.CharField(max_length=100)
    timeframe = models.CharField(max_length=8)
    open = PriceField()
    high = PriceField()
    low = PriceField()
    close = PriceField()
    volume = QuantityField(null=True, blank=True)

    class Meta(Snapshot.Meta):
        indexes: ClassVar = [
            *SNAPSHOT_INDEXES,
            models.Index(fields=["symbol", "timeframe", "captured_at"], name="candlesnapshot_point"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe} at {self.captured_at:%Y-%m-%d %H:%M}"


class IndicatorSnapshot(Snapshot):
    """The indicators of a symbol as they were worked out; null where there were too few bars."""

    shows = ("symbol", "timeframe")

    symbol = models.CharField(max_length=100)
    timeframe = models.CharField(max_length=8)
    rsi_14 = BoundedDecimalField(
        max_digits=7, decimal_places=4, minimum=Decimal(0), maximum=Decimal(100), null=True, blank=True
    )
    sma_50 = PriceField(null=True, blank=True)
    sma_200 = PriceField(null=True, blank=True)
    macd = PriceField(null=True, blank=True)
    atr = PriceField(null=True, blank=True)

    class Meta(Snapshot.Meta):
        indexes: ClassVar = [
            *SNAPSHOT_INDEXES,
            models.Index(fields=["symbol", "timeframe", "captured_at"], name="indicatorsnapshot_point"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe} at {self.captured_at:%Y-%m-%d %H:%M}"


class CalendarSnapshot(Snapshot):
    """An event of the economic calendar with the figures that were known; figures are text, as calendars give them."""

    shows = ("event_time", "currency", "title")

    event_time = models.DateTimeField()
    currency = models.CharField(max_length=10)
    impact_level = ChoiceField(max_length=10, choices=Impact)
    title = models.CharField(max_length=500)
    previous_value = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - the source has NULL
    forecast_value = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - the source has NULL
    actual_value = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - the source has NULL

    class Meta(Snapshot.Meta):
        indexes: ClassVar = [
            *SNAPSHOT_INDEXES,
            models.Index(fields=["currency", "event_time"], name="calendarsnapshot_event"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.title} at {self.event_time:%Y-%m-%d %H:%M}"


class NewsSnapshot(Snapshot):
    """A headline that was known, with the symbols it is about."""

    shows = ("source", "headline", "published_at")

    headline = models.TextField()
    source = models.CharField(max_length=255)
    symbols = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    published_at = models.DateTimeField()

    class Meta(Snapshot.Meta):
        indexes: ClassVar = [
            *SNAPSHOT_INDEXES,
            models.Index(fields=["published_at"], name="newssnapshot_published"),
            GinIndex(fields=["symbols"], name="newssnapshot_symbols"),
        ]

    def __str__(self) -> str:
        return self.headline
