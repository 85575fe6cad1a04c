"""Models that learn: how they did, and what they foretold."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from friren.core.fields import BoundedDecimalField, RatioField
from friren.core.models import FactModel
from friren.core.triggers import fact_triggers
from trading_engine.models.relations import fact_key

__all__ = ["ModelPerformance", "ModelPrediction"]

PREDICTION_LIFECYCLE = ("actual", "is_correct", "resolved_at")


class ModelPerformance(FactModel):
    """
    How a model did up to one moment: its accuracy, and the trades since the moment before.

    The id is the UUIDv5 of (model_id, model_version, timestamp).
    """

    model_id = models.CharField(max_length=50)
    model_version = models.CharField(max_length=50)
    timestamp = models.DateTimeField()
    accuracy_score = BoundedDecimalField(max_digits=7, decimal_places=6, minimum=Decimal(0), maximum=Decimal(1))
    total_trades = models.PositiveIntegerField(default=0)
    profitable_trades = models.PositiveIntegerField(default=0)
    features_used = models.JSONField(default=list, blank=True)
    shap_summary = models.JSONField(default=dict, blank=True)

    class Meta(FactModel.Meta):
        verbose_name_plural = "Model performance"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model_id", "model_version", "timestamp"], name="model_performance_point"),
            models.CheckConstraint(
                condition=Q(profitable_trades__lte=F("total_trades")),
                name="ck_modelperformance_trades",
                violation_error_code="profitable_trades",
                violation_error_message="must not be more than total_trades",
            ),
        ]
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["-timestamp"], name="modelperformance_by_time"),
        ]
        triggers: ClassVar = fact_triggers()

    def __str__(self) -> str:
        return f"{self.model_id} {self.model_version} at {self.timestamp:%Y-%m-%d %H:%M}"


class ModelPrediction(FactModel):
    """What a model foretold. `actual`, `is_correct` and `resolved_at` are filled once, when it is known what came."""

    lifecycle = PREDICTION_LIFECYCLE

    timestamp = models.DateTimeField()
    model_id = models.CharField(max_length=50)
    model_version = models.CharField(max_length=50)
    symbol = fact_key("trading_engine.Symbol", related_name="predictions", optional=True)
    predicted = models.JSONField(default=dict, blank=True)
    confidence = RatioField(null=True, blank=True)
    features = models.JSONField(default=dict, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    actual = models.JSONField(null=True, blank=True)
    is_correct = models.BooleanField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta(FactModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=False) | Q(actual__isnull=True, is_correct__isnull=True),
                name="ck_modelprediction_resolved",
                violation_error_code="resolved_at",
                violation_error_message="is set once there is an outcome",
            )
        ]
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["model_id", "model_version", "-timestamp"], name="modelprediction_by_model"),
            models.Index(fields=["due_at"], name="modelprediction_due", condition=Q(resolved_at__isnull=True)),
        ]
        triggers: ClassVar = fact_triggers(lifecycle=PREDICTION_LIFECYCLE)

    def __str__(self) -> str:
        return f"{self.model_id} {self.model_version} at {self.timestamp:%Y-%m-%d %H:%M}"
