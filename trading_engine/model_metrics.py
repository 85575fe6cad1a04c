"""How a model did: accuracy, trades, win rate and calibration, worked out by the database."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from django.db.models import Avg, Case, Count, F, FloatField, Func, IntegerField, Q, Sum, Value, When
from django.db.models.functions import Cast, Least, TruncDay, TruncMonth, TruncQuarter, TruncWeek, TruncYear
from django.db.models.functions.datetime import TruncBase

from friren.persistence.answers import ask
from trading_engine.model_drift import feature_drift
from trading_engine.models import ModelPerformance, ModelPrediction

__all__ = ["PERIODS", "CalibrationBucket", "ModelMetrics", "ModelPeriod", "Timeline", "measure"]

# What a window may be cut into, by the calendar in UTC.
PERIODS: Final = MappingProxyType[str, type[TruncBase]]({
    "day": TruncDay, "week": TruncWeek, "month": TruncMonth, "quarter": TruncQuarter, "year": TruncYear,
})  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Timeline:
    """
    How a window is cut.

    Attributes:
        every: one of PERIODS.
        drift_until: what lies before it is the reference of the drift; the first period when None.
    """

    every: str
    drift_until: dt.datetime | None = None


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
class ModelPeriod:
    """
    A model in one stretch of a window.

    Attributes:
        starts_at: the beginning of the day, week, month, quarter or year, UTC.
        predictions, judged, correct, accuracy, brier: as of ModelMetrics.
        confidence: mean of the judged; of a calibrated model, `accuracy` is near it.
        drift: by feature the population stability index against the reference, see `model_drift`.
    """

    starts_at: dt.datetime
    predictions: int
    judged: int
    correct: int
    accuracy: float | None
    confidence: float | None
    brier: float | None
    drift: Mapping[str, float]


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
        brier: mean of (confidence - 1 if right else 0)^2 of the judged predictions with a confidence: 0 is perfect.
            G. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950).
        evaluations: how many performances were logged.
        reported_accuracy: `accuracy_score` of the newest of them.
        trades, profitable_trades: their sums.
        win_rate: profitable_trades / trades.
        calibration: of the judged predictions with a confidence; buckets with none are left out.
        periods: the same over time, oldest first, where it was asked for; stretches without predictions are left out.
        as_of: when the database was asked, UTC; None means unknown, never "nothing there".
        stale: the database could not be asked; this is what was known at `as_of`.
    """

    predictions: int = 0
    resolved: int = 0
    judged: int = 0
    correct: int = 0
    accuracy: float | None = None
    brier: float | None = None
    evaluations: int = 0
    reported_accuracy: float | None = None
    trades: int = 0
    profitable_trades: int = 0
    win_rate: float | None = None
    calibration: tuple[CalibrationBucket, ...] = ()
    periods: tuple[ModelPeriod, ...] = ()
    as_of: dt.datetime | None = None
    stale: bool = False


_JUDGED: Final = Q(is_correct__isnull=False)
_MISS: Final = Cast("confidence", FloatField()) - Case(When(is_correct=True, then=1.0), default=0.0)
_FIGURES: Final = {
    "predictions": Count("*"),
    "judged": Count("id", filter=_JUDGED),
    "correct": Count("id", filter=Q(is_correct=True)),
    # An average leaves out NULL: those without a confidence.
    "mean_confidence": Avg(Cast("confidence", FloatField()), filter=_JUDGED),
    "brier": Avg(_MISS * _MISS, filter=_JUDGED, output_field=FloatField()),
}


def measure(wanted: Mapping[str, Any], *, buckets: int, timeline: Timeline | None = None, using: str) -> ModelMetrics:
    """Return the metrics of the predictions and performances that `wanted` (a filter) selects."""
    key = ("model_metrics", buckets, timeline, *sorted(wanted.items()))
    answer = ask(key, lambda alias: [_ask(wanted, buckets, timeline, alias)], using=using)
    known = answer.rows[0] if answer.rows else ModelMetrics()
    return dataclasses.replace(known, as_of=answer.as_of, stale=answer.stale)


def _ask(wanted: Mapping[str, Any], buckets: int, timeline: Timeline | None, using: str) -> ModelMetrics:
    predictions = ModelPrediction.objects.using(using).filter(**wanted)
    counts = predictions.aggregate(resolved=Count("id", filter=Q(resolved_at__isnull=False)), **_FIGURES)
    performances = ModelPerformance.objects.using(using).filter(**wanted)
    sums = performances.aggregate(evaluations=Count("*"), trades=Sum("total_trades"), won=Sum("profitable_trades"))
    newest = performances.order_by("-timestamp", "-id").values_list("accuracy_score", flat=True).first()
    trades, won = sums["trades"] or 0, sums["won"] or 0
    counts.pop("mean_confidence")
    return ModelMetrics(
        **counts,
        accuracy=_share(counts["correct"], counts["judged"]),
        evaluations=sums["evaluations"],
        reported_accuracy=None if newest is None else float(newest),
        trades=trades,
        profitable_trades=won,
        win_rate=_share(won, trades),
        calibration=_calibration(predictions.filter(_JUDGED, confidence__isnull=False), buckets),
        periods=_periods(predictions, timeline, using) if timeline else (),
    )


def _periods(predictions: Any, cut: Timeline, using: str) -> tuple[ModelPeriod, ...]:
    rows = predictions.annotate(starts_at=PERIODS[cut.every]("timestamp", tzinfo=dt.UTC)).values("starts_at")
    drift = feature_drift(predictions, every=cut.every, until=cut.drift_until, using=using)
    return tuple(
        ModelPeriod(
            confidence=row.pop("mean_confidence"),
            **row,
            accuracy=_share(row["correct"], row["judged"]),
            drift=drift.get(row["starts_at"], {}),
        )
        for row in rows.annotate(**_FIGURES).order_by("starts_at")
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
