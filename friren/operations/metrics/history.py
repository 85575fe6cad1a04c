"""Figures that were recorded, and how fast they grow."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, transaction
from django.utils import timezone

from friren.operations.metrics.sources import Figures
from friren.operations.models import MetricSample

__all__ = ["growth", "record"]

# How long samples are kept: enough to see the trend of a month, and some 100 figures a quarter of an hour.
KEPT: Final = dt.timedelta(days=30)
# Shorter spans say more of the moment than of the trend.
SPAN_MIN: Final = dt.timedelta(minutes=1)
SECONDS_OF_A_DAY: Final = 86_400


def record(figures: Figures, *, at: dt.datetime | None = None, using: str = DEFAULT_DB_ALIAS) -> int:
    """Store every figure as a sample, and remove those that are a month old; return how many were stored."""
    at = at or timezone.now()
    rows = [
        MetricSample(captured_at=at, name=sample.name, value=sample.value, labels=dict(sample.labels))
        for sample in figures.samples()
    ]
    with transaction.atomic(using=using):
        MetricSample.objects.using(using).bulk_create(rows)
        MetricSample.objects.using(using).filter(captured_at__lt=at - KEPT).delete()
    return len(rows)


def growth(figures: Figures, *, at: dt.datetime | None = None, using: str = DEFAULT_DB_ALIAS) -> dict[str, Any] | None:
    """
    Compare with the oldest samples of the last month.

    Returns:
        `since`, and per day: `database_bytes`, `commits`, `rows_inserted`, and `tables` (bytes of those that grew or
        shrank); None while there is no sample that is a minute old. A count that was reset meanwhile is left out.
    """
    at = at or timezone.now()
    kept = MetricSample.objects.using(using).filter(captured_at__gte=at - KEPT, captured_at__lte=at - SPAN_MIN)
    first = kept.filter(name="database_bytes").order_by("captured_at").first()
    if first is None:
        return None
    days = (at - first.captured_at).total_seconds() / SECONDS_OF_A_DAY
    then = kept.filter(captured_at=first.captured_at)
    single = dict(then.filter(name__in=("commits", "rows_inserted")).values_list("name", "value"))
    sizes = {labels["table"]: size for labels, size in then.filter(name="table_bytes").values_list("labels", "value")}
    grown = {table: size - sizes.get(table, 0) for table, (size, _rows) in figures.storage["tables"].items()}
    told: dict[str, Any] = {
        "since": first.captured_at,
        "database_bytes": round((figures.storage["database_bytes"] - first.value) / days),
        "tables": {table: round(change / days) for table, change in grown.items() if change},
    }
    for name, before in single.items():
        if (change := figures.throughput[name] - before) >= 0:
            told[name] = round(change / days)
    return told
