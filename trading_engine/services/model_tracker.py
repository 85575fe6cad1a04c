"""Record what models foretold and how they did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
from django.utils import timezone

from friren.core.ids import natural_id
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import Fact, make_fact, spec_of
from friren.persistence.receipts import BulkReceipt, Receipt
from trading_engine.model_metrics import PERIODS, ModelMetrics, Timeline, measure
from trading_engine.models import ModelPerformance, ModelPrediction
from trading_engine.prediction_outcomes import PREDICTION_OUTCOME
from trading_engine.services.base import Service

__all__ = ["ModelTracker"]

# What callers call these columns.
PERFORMANCE_PARAMETERS: Final = {"id": "timestamp"}
PREDICTION_PARAMETERS: Final = {"id": "prediction_id"}
PREDICTION_KEYWORDS: Final = frozenset({
    "model_id", "model_version", "timestamp", "symbol", "predicted", "confidence", "features", "due_at",
    "prediction_id",
})  # fmt: skip
OUTCOME_KEYWORDS: Final = frozenset({"prediction", "actual", "is_correct", "timestamp"})
CAME: Final = ("actual", "is_correct")
CALIBRATION_BUCKETS_MAX: Final = 1000


class ModelTracker(Service):
    """Records models over time. They belong to no account."""

    def log_model_performance(
        self,
        *,
        model_id: str,
        model_version: str,
        timestamp: dt.datetime,
        accuracy_score: float | Decimal,
        total_trades: int | None = None,
        profitable_trades: int | None = None,
        features_used: list[Any] | None = None,
        shap_summary: dict[str, Any] | None = None,
    ) -> Receipt:
        """
        Store how a model did up to a moment.

        Args:
            timestamp: of the evaluation, aware.
            accuracy_score: share of right predictions, 0 to 1, six decimals.
            total_trades: trades since the evaluation before, so that the sum over a window counts each once.
            profitable_trades: those among them that made money.
            features_used: names of the features.
            shap_summary: SHAP value by feature.

        Returns:
            STORED, or DUPLICATE when the same is stored for (model_id, model_version, timestamp).

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: another performance of this model and version is stored for this moment.
        """
        fact = make_fact(
            ModelPerformance, model_id=model_id, model_version=model_version, timestamp=timestamp,
            accuracy_score=accuracy_score, total_trades=total_trades, profitable_trades=profitable_trades,
            features_used=features_used, shap_summary=shap_summary,
        )  # fmt: skip
        key = natural_id(fact.kind, *(fact.values[name] for name in ("model_id", "model_version", "timestamp")))
        try:
            return self.recorder.record(msgspec.structs.replace(fact, id=key))
        except RejectedRecordError as exc:
            raise exc.named(PERFORMANCE_PARAMETERS) from exc

    def track_predictions(self, predictions: Iterable[Mapping[str, Any]]) -> BulkReceipt:
        """
        Store predictions.

        Args:
            predictions: of each model_id, model_version and timestamp (aware); and, if there is one, symbol,
                predicted (what was foretold, JSON), confidence (0 to 1), features (JSON), due_at (when the outcome
                is known) and prediction_id (a UUID, made when there is none).

        Returns:
            How many were stored and were there already, and (index, error) of those refused.
        """
        return self.recorder.record_many(predictions, _prediction_fact, parameters=PREDICTION_PARAMETERS)

    def resolve_predictions(self, outcomes: Iterable[Mapping[str, Any]]) -> BulkReceipt:
        """
        Note what came of predictions, once each, each with its entry in the audit log.

        Args:
            outcomes: of each prediction (id, receipt or row), and actual (what came, JSON), is_correct and timestamp
                (when it was known, aware; now unless given).

        Returns:
            How many were resolved (stored), how many had this outcome already (duplicates), and (index, error) of
            those refused: bad values, unknown predictions, and with InvalidTransitionError those that have another
            outcome.
        """
        return self.recorder.record_many(outcomes, _outcome_fact)

    def get_model_metrics(
        self,
        model_id: str,
        *,
        model_version: str | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        buckets: int = 10,
        every: str | None = None,
        drift_until: dt.datetime | None = None,
    ) -> ModelMetrics:
        """
        Return how a model did in a window.

        Args:
            model_version: exact; all versions together when None.
            start, end: bounds of the time of predictions and evaluations, aware; start included, end not.
            buckets: equal parts of the confidence, for the calibration; 1 to 1000.
            every: day, week, month, quarter or year, for accuracy, calibration and drift over time in `periods`; None
                for none.
            drift_until: aware; the predictions of the window before it are what drift is measured from, those of its
                first period when None.

        Raises:
            RejectedRecordError: an argument breaks a rule.
        """
        fields = spec_of(ModelPrediction).fields
        if model_id is None:
            raise RejectedRecordError("model_id", model_id, "is required")
        wanted: dict[str, Any] = {"model_id": fields["model_id"].check("model_id", model_id)}
        if model_version is not None:
            wanted["model_version"] = fields["model_version"].check("model_version", model_version)
        if start is not None:
            wanted["timestamp__gte"] = checks.check_time("start", start)
        if end is not None:
            wanted["timestamp__lt"] = checks.check_time("end", end)
        parts = checks.check_count("buckets", buckets, minimum=1, maximum=CALIBRATION_BUCKETS_MAX)
        return measure(wanted, buckets=parts, timeline=_timeline(every, drift_until), using=self.using)


def _timeline(every: str | None, drift_until: dt.datetime | None) -> Timeline | None:
    if every is None and drift_until is None:
        return None
    if not isinstance(every, str) or every not in PERIODS:
        raise RejectedRecordError("every", every, f"one of {', '.join(PERIODS)}")
    return Timeline(every, None if drift_until is None else checks.check_time("drift_until", drift_until))


def _prediction_fact(prediction: Mapping[str, Any]) -> Fact:
    told = dict(checks.check_record("prediction", prediction, known=PREDICTION_KEYWORDS, of="track_predictions"))
    key = told.pop("prediction_id", None)
    return make_fact(ModelPrediction, id=None if key is None else checks.check_uuid("prediction_id", key), **told)


def _outcome_fact(outcome: Mapping[str, Any]) -> Fact:
    told = checks.check_record("outcome", outcome, known=OUTCOME_KEYWORDS, of="resolve_predictions")
    fields = spec_of(ModelPrediction).fields
    prediction = told.get("prediction")
    key = checks.check_uuid("prediction", getattr(prediction, "id", prediction))
    values = {name: fields[name].check(name, told[name]) for name in CAME if told.get(name) is not None}
    if not values:
        raise RejectedRecordError("actual", None, "give actual, is_correct or both")
    at = told.get("timestamp")
    values["resolved_at"] = timezone.now() if at is None else checks.check_time("timestamp", at)
    return Fact(kind=PREDICTION_OUTCOME, id=key, values=values)
