"""How a model did: accuracy, trades, win rate and calibration, worked out by the database."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db.models import Avg, Count, F, FloatField, Func, IntegerField, Q, Sum, Value
from django.db.models.functions import Cast, Least

from friren.persistence.answers import ask
from trading_engine.models import ModelPerformance, ModelPrediction

__all__ = ["CalibrationBucket", "ModelMetrics", "measure"]


@dataclasses.dataclass(frozen=True, slots=True)
class CalibrationBucket:
    """
    Judged predictions whose confidence lies in one range: of a calibrated model, `accuracy` is near `confidence`.

    Attributes:
        low, high: the range; the upper bound belongs to the next bucket, but for the last.
        predictions: how many.
        confidence: their mean.
        accuracy: share of them that were right.
    """

    low: float
    high: float
    predictions: int
    confidence: float
    accuracy: float


@dataclasses.dataclass(frozen=True, slots=True)
class ModelMetrics:
    """
    A model in a window. Shares are 0 to 1, None where there is nothing to divide by.

    Attributes:
        predictions: how many were made.
        resolved: those whose outcome is known.
        judged: those among them that were called right or wrong.
        correct: those that were right.
        accuracy: correct / judged.
        evaluations: how many performances were logged.
        reported_accuracy: `accuracy_score` of the newest of them.
        trades, profitable_trades: their sums.
        win_rate: profitable_trades / trades.
        calibration: of the judged predictions with a confidence; buckets with none are left out.
        as_of: when the database was asked, UTC; None means unknown, never "nothing there".
        stale: the database could not be asked; this is what was known at `as_of`.
    """

    predictions: int = 0
    resolved: int = 0
    judged: int = 0
    correct: int = 0
    accuracy: float | None = None
    evaluations: int = 0
    reported_accuracy: float | None = None
    trades: int = 0
    profitable_trades: int = 0
    win_rate: float | None = None
    calibration: tuple[CalibrationBucket, ...] = ()
    as_of: dt.datetime | None = None
    stale: bool = False


def measure(wanted: Mapping[str, Any], *, buckets: int, using: str) -> ModelMetrics:
    """Return the metrics of the predictions and performances that `wanted` (a filter) selects."""
    key = ("model_metrics", buckets, *sorted(wanted.items()))
    answer = ask(key, lambda alias: [_ask(wanted, buckets, alias)], using=using)
    known = answer.rows[0] if answer.rows else ModelMetrics()
    return dataclasses.replace(known, as_of=answer.as_of, stale=answer.stale)


def _ask(wanted: Mapping[str, Any], buckets: int, using: str) -> ModelMetrics:
    predictions = ModelPrediction.objects.using(using).filter(**wanted)
    judged = Q(is_correct__isnull=False)
    counts = predictions.aggregate(
        predictions=Count("*"),
        resolved=Count("id", filter=Q(resolved_at__isnull=False)),
        judged=Count("id", filter=judged),
        correct=Count("id", filter=Q(is_correct=True)),
    )
    performances = ModelPerformance.objects.using(using).filter(**wanted)
    sums = performances.aggregate(evaluations=Count("*"), trades=Sum("total_trades"), won=Sum("profitable_trades"))
    newest = performances.order_by("-timestamp", "-id").values_list("accuracy_score", flat=True).first()
    trades, won = sums["trades"] or 0, sums["won"] or 0
    return ModelMetrics(
        **counts,
        accuracy=_share(counts["correct"], counts["judged"]),
        evaluations=sums["evaluations"],
        reported_accuracy=None if newest is None else float(newest),
        trades=trades,
        profitable_trades=won,
        win_rate=_share(won, trades),
        calibration=_calibration(predictions.filter(judged, confidence__isnull=False), buckets),
    )


def _calibration(predictions: Any, buckets: int) -> tuple[CalibrationBucket, ...]:
    # width_bucket counts from 1, and puts the upper bound into a bucket of its own.
    number = Func(F("confidence"), 0, 1, Value(buckets), function="width_bucket", output_field=IntegerField())
    rows = (
        predictions.annotate(bucket=Least(number, Value(buckets)))
        .values("bucket")
        .annotate(
            count=Count("*"),
            mean=Cast(Avg("confidence"), FloatField()),
            right=Count("id", filter=Q(is_correct=True)),
        )
        .order_by("bucket")
    )
    return tuple(
        CalibrationBucket(
            low=(row["bucket"] - 1) / buckets,
            high=row["bucket"] / buckets,
            predictions=row["count"],
            confidence=row["mean"],
            accuracy=row["right"] / row["count"],
        )
        for row in rows
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
