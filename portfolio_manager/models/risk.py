"""Daily risk figures."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models

from friren.core.fields import BoundedDecimalField, MoneyField
from trading_engine.models.relations import fact_key

__all__ = ["RiskMetrics"]


class RiskMetrics(models.Model):
    """
    The risk of a book on a day: one row per (account, day), the newer `timestamp` wins.

    The id is the UUIDv5 of (account, as_of_date).
    """

    id = models.UUIDField(primary_key=True, editable=False)
    account = fact_key("core.Account")
    timestamp = models.DateTimeField()
    as_of_date = models.DateField()
    portfolio_value = MoneyField()
    total_exposure = MoneyField()
    max_position_size = MoneyField(null=True, blank=True)
    correlation_risk = BoundedDecimalField(
        max_digits=9, decimal_places=6, minimum=Decimal(-999), maximum=Decimal(999), null=True, blank=True
    )
    var_estimate = MoneyField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "Risk metrics"
        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "as_of_date"], name="one_risk_day")]
        indexes: ClassVar = [models.Index(fields=["timestamp"], name="riskmetrics_time")]

    def __str__(self) -> str:
        return f"{self.as_of_date}"
