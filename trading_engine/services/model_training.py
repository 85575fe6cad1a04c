"""Train a model over bars as one would have had to: fit on the past, ask about what follows, log both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from friren.errors import KeyReusedError
from friren.persistence.receipts import BulkReceipt
from trading_engine.data.bars import Bar
from trading_engine.learning import (
    FEATURES,
    Booster,
    Fold,
    Forecast,
    ModelVersion,
    Sample,
    TrainedModel,
    TrainingPlan,
    check_model_id,
    folds,
    prediction_id,
    samples_of,
    save_model,
    version_name,
)
from trading_engine.services.model_tracker import ModelTracker

__all__ = ["TrainedVersion", "TrainingReport", "train_model"]

# Where two probabilities are as likely, nothing is foretold: from here on it is a rise.
EVEN: Final = 0.5


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """
    How one version did on what came after its fit.

    Attributes:
        samples: how many it learnt from.
        predictions, judged, correct: how many it made, whose outcome is known, and that were right.
        brier: mean of (probability - outcome)^2 over the judged: 0 is perfect, 0.25 says nothing.
        rises: share of the judged that went up: what always saying "up" would have scored.
        shap_summary: mean of |SHAP value| by feature, in log-odds.
        additivity_error: the largest |sum of SHAP values + base value - margin|.
    """

    version: str
    fitted_at: dt.datetime
    samples: int
    predictions: int
    judged: int
    correct: int
    brier: float | None
    rises: float | None
    shap_summary: Mapping[str, float]
    additivity_error: float


@dataclass(slots=True)
class TrainingReport:
    """
    What came of a training.

    Attributes:
        folder: where the model lies.
        versions: oldest first.
        stored, duplicates: predictions that are new, and were there.
        journaled: predictions and outcomes that wait on this machine's disk.
        resolved: outcomes that are new.
        rejected: what was refused, in words: it is stored otherwise, because bars were revised since.
    """

    model_id: str
    folder: Path
    versions: list[TrainedVersion] = field(default_factory=list)
    stored: int = 0
    duplicates: int = 0
    journaled: int = 0
    resolved: int = 0
    rejected: list[str] = field(default_factory=list)

    @property
    def accuracy(self) -> float | None:
        """The share of right ones over all versions; None where nothing was judged."""
        judged = sum(each.judged for each in self.versions)
        return sum(each.correct for each in self.versions) / judged if judged else None


def train_model(
    series: Mapping[str, Sequence[Bar]],
    *,
    model_id: str,
    shelf: Path,
    tracker: ModelTracker,
    plan: TrainingPlan | None = None,
    progress: Callable[[int], None] = lambda _versions: None,
) -> TrainingReport:
    """
    Fit a version after each stretch of bars on all before it, and log versions, predictions, outcomes and SHAP values.

    The same bars give the same versions, so a second training stores nothing; more bars add to it.

    Args:
        series: bars of one timeframe by symbol, each oldest first; one model learns from all of them.
        model_id: letters, digits, dots, dashes and underscores, at most 50.
        shelf: folder that the model is kept in, under its name.
        progress: called with the number of versions just done.

    Raises:
        RejectedRecordError: the name is none, or there are too few bars, or they all went the same way.
        ConfigurationError: the extra `ml` is not installed.
    """
    plan = plan or TrainingPlan()
    check_model_id(model_id)
    samples = [sample for symbol in series for sample in samples_of(symbol, series[symbol], horizon=plan.horizon)]
    report = TrainingReport(model_id, shelf / model_id)
    versions = []
    for fold in folds(samples, plan=plan):
        booster = Booster.fit(
            [sample.features for sample in fold.train], [sample.up for sample in fold.train], plan=plan
        )
        version = ModelVersion(version_name(fold.fitted_at, booster.content), fold.fitted_at, booster)
        versions.append(version)
        forecasts = booster.forecasts([sample.features for sample in fold.test])
        _log(report, version.version, fold, forecasts, tracker)
        report.versions.append(_judged(version.version, fold, forecasts))
        _log_performance(report, fold, tracker)
        progress(1)
    save_model(shelf, TrainedModel(model_id, plan.horizon, versions))
    return report


def _log(
    report: TrainingReport, version: str, fold: Fold, forecasts: Sequence[Forecast], tracker: ModelTracker
) -> None:
    model_id = report.model_id
    pairs = list(zip(fold.test, forecasts, strict=True))
    tracked = tracker.track_predictions(_prediction(model_id, version, sample, told) for sample, told in pairs)
    resolved = tracker.resolve_predictions(_outcomes(model_id, version, pairs))
    report.stored += tracked.stored
    report.duplicates += tracked.duplicates
    report.journaled += sum(each.journaled + each.buffered for each in (tracked, resolved))
    report.resolved += resolved.stored
    report.rejected.extend(_refusals(tracked) + _refusals(resolved))


def _refusals(receipt: BulkReceipt) -> list[str]:
    return [str(error) for _index, error in receipt.rejected]


def _prediction(model_id: str, version: str, sample: Sample, told: Forecast) -> dict[str, Any]:
    return {
        "prediction_id": prediction_id(model_id, version, sample.symbol, sample.timestamp),
        "model_id": model_id,
        "model_version": version,
        "timestamp": sample.timestamp,
        "symbol": sample.symbol,
        "predicted": {"up": told.probability >= EVEN, "probability": told.probability, "margin": told.margin},
        "confidence": max(told.probability, 1 - told.probability),
        "features": dict(zip(FEATURES, sample.features, strict=True)),
    }


def _outcomes(model_id: str, version: str, pairs: Sequence[tuple[Sample, Forecast]]) -> Iterator[dict[str, Any]]:
    for sample, told in pairs:
        if sample.due_at is not None:
            yield {
                "prediction": prediction_id(model_id, version, sample.symbol, sample.timestamp),
                "actual": {"up": sample.up, "gain": sample.gain},
                "is_correct": (told.probability >= EVEN) == sample.up,
                "timestamp": sample.due_at,
            }


def _judged(version: str, fold: Fold, forecasts: Sequence[Forecast]) -> TrainedVersion:
    known = [(told.probability, sample.up) for sample, told in zip(fold.test, forecasts, strict=True) if sample.due_at]
    count = len(known)
    return TrainedVersion(
        version=version,
        fitted_at=fold.fitted_at,
        samples=len(fold.train),
        predictions=len(forecasts),
        judged=count,
        correct=sum((probability >= EVEN) == up for probability, up in known),
        brier=sum((probability - up) ** 2 for probability, up in known) / count if count else None,
        rises=sum(up for _, up in known) / count if count else None,
        shap_summary={
            name: sum(abs(told.shap_values[name]) for told in forecasts) / len(forecasts) for name in FEATURES
        },
        additivity_error=max(abs(sum(told.shap_values.values()) + told.base_value - told.margin) for told in forecasts),
    )


def _log_performance(report: TrainingReport, fold: Fold, tracker: ModelTracker) -> None:
    """Log how the last version did once all it was asked about is known; what is still open is logged another time."""
    version = report.versions[-1]
    due = [sample.due_at for sample in fold.test]
    if None in due:
        return
    try:
        tracker.log_model_performance(
            model_id=report.model_id,
            model_version=version.version,
            timestamp=max(at for at in due if at is not None),
            accuracy_score=round(version.correct / version.judged, 6),
            features_used=list(FEATURES),
            shap_summary={name: round(value, 9) for name, value in version.shap_summary.items()},
        )
    except KeyReusedError as exc:
        # Bars were revised since: what was told of them stands, as for predictions.
        report.rejected.append(str(exc))
