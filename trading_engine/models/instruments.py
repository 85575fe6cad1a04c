"""What is traded: symbols."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Q

from friren.core.fields import QuantityField
from friren.core.triggers import frozen_columns

__all__ = ["Symbol"]


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
