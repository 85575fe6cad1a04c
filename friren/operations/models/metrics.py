"""Figures of the database and the write path over time."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from friren.core.fields import StatField
from friren.core.triggers import frozen_columns

__all__ = ["MetricSample"]


class MetricSample(models.Model):
    """One figure at one moment, such as the bytes of a table. Never changed; removed when it is a month old."""

    id = models.BigAutoField(primary_key=True)
    captured_at = models.DateTimeField()
    name = models.CharField(max_length=100)
    value = StatField()
    labels = models.JSONField(default=dict, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["name", "captured_at"], name="metricsample_by_name")]
        triggers: ClassVar = [frozen_columns("id", "captured_at", "name", "value", "labels")]

    def __str__(self) -> str:
        return f"{self.name} {self.value:g} ({self.captured_at:%Y-%m-%d %H:%M})"
