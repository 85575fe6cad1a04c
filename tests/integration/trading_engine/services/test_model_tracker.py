"""What models foretold is resolved once, and how they did is worked out from it."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError

from friren.core.models import AuditLog
from friren.errors import InvalidTransitionError, KeyReusedError, RejectedRecordError
from friren.persistence.receipts import WriteOutcome
from trading_engine.models import ModelPerformance, ModelPrediction
from trading_engine.services import ModelTracker

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def tracker():
    return ModelTracker()


def performance(**more):
    return {"model_id": "xgboost", "model_version": "7", "timestamp": NOON, "accuracy_score": 0.61, **more}


def prediction(**more):
    return {
        "model_id": "xgboost", "model_version": "7", "timestamp": NOON, "symbol": "AAPL",
        "predicted": {"direction": "up"}, "confidence": 0.7, "prediction_id": uuid.uuid4(), **more,
    }  # fmt: skip


def test_every_field_of_a_performance_comes_back_as_it_was_given(tracker):
    receipt = tracker.log_model_performance(
        **performance(total_trades=40, profitable_trades=23, features_used=["rsi", "vix"], shap_summary={"rsi": 0.31})
    )

    assert receipt.outcome is WriteOutcome.STORED
    row = ModelPerformance.objects.get(id=receipt.id)
    assert (row.model_id, row.model_version, row.timestamp) == ("xgboost", "7", NOON)
    assert (row.accuracy_score, row.total_trades, row.profitable_trades) == (Decimal("0.61"), 40, 23)
    assert (row.features_used, row.shap_summary) == (["rsi", "vix"], {"rsi": 0.31})


def test_the_same_moment_of_a_model_is_one_row(tracker):
    first = tracker.log_model_performance(**performance())
    again = tracker.log_model_performance(**performance(timestamp=NOON.astimezone(dt.timezone(HOUR))))

    assert (again.id, again.outcome) == (first.id, WriteOutcome.DUPLICATE)
    with pytest.raises(KeyReusedError) as refusal:
        tracker.log_model_performance(**performance(accuracy_score=0.62))
    assert refusal.value.field == "timestamp"
    assert tracker.log_model_performance(**performance(model_version="8")).outcome is WriteOutcome.STORED
    assert ModelPerformance.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_id", ""), ("model_version", None), ("model_id", "x" * 51), ("accuracy_score", 1.1),
        ("accuracy_score", None), ("total_trades", -1), ("profitable_trades", 1), ("features_used", {"a": 1}),
        ("shap_summary", [1]), ("timestamp", "2026-01-05"),
    ],
)  # fmt: skip
def test_a_bad_performance_is_refused_by_name(tracker, field, value):
    with pytest.raises(RejectedRecordError) as refusal:
        tracker.log_model_performance(**performance(**{field: value}))

    assert refusal.value.field == field
    assert ModelPerformance.objects.count() == 0


def test_predictions_are_stored_in_bulk_and_once(tracker):
    batch = [prediction(confidence=number / 10, due_at=NOON + HOUR) for number in range(10)]

    first, second = tracker.track_predictions(batch), tracker.track_predictions(batch)

    assert (first.stored, first.duplicates) == (10, 0)
    assert (second.stored, second.duplicates) == (0, 10)
    row = ModelPrediction.objects.get(id=batch[3]["prediction_id"])
    assert (row.symbol.ticker, row.predicted, row.confidence) == ("AAPL", {"direction": "up"}, Decimal("0.3"))
    assert (row.due_at, row.actual, row.is_correct, row.resolved_at) == (NOON + HOUR, None, None, None)


def test_bad_predictions_are_told_by_index_and_the_rest_is_stored(tracker):
    batch = [prediction(), prediction(confidence=2), {"model_id": "x"}, 5, prediction(is_correct=True),
             prediction(symbol=None)]  # fmt: skip

    receipt = tracker.track_predictions(batch)

    assert receipt.stored == 2
    assert [(index, error.field) for index, error in receipt.rejected] == [
        (1, "confidence"), (2, "timestamp"), (3, "prediction"), (4, "is_correct"),
    ]  # fmt: skip


def test_an_outcome_is_filled_once_and_leaves_an_entry_in_the_audit_log(tracker):
    first, second = prediction(), prediction()
    tracker.track_predictions([first, second])
    came = {"prediction": first["prediction_id"], "actual": {"direction": "up"}, "is_correct": True}

    receipt = tracker.resolve_predictions([{**came, "timestamp": NOON + HOUR}])

    assert (receipt.stored, receipt.duplicates, receipt.rejected) == (1, 0, [])
    row = ModelPrediction.objects.get(id=first["prediction_id"])
    assert (row.actual, row.is_correct, row.resolved_at) == ({"direction": "up"}, True, NOON + HOUR)
    (entry,) = AuditLog.objects.filter(action="STATUS_CHANGE")
    assert (entry.model_label, entry.object_pk) == ("trading_engine.ModelPrediction", str(row.id))
    assert entry.before == {"actual": None, "is_correct": None, "resolved_at": None}
    assert entry.after["is_correct"] is True
    again = tracker.resolve_predictions([came])
    assert (again.stored, again.duplicates) == (0, 1)
    other = tracker.resolve_predictions([{**came, "is_correct": False}])
    assert [(index, type(error)) for index, error in other.rejected] == [(0, InvalidTransitionError)]
    assert ModelPrediction.objects.get(id=row.id).is_correct is True
    assert AuditLog.objects.filter(action="STATUS_CHANGE").count() == 1


def test_outcomes_of_a_batch_are_judged_one_by_one(tracker):
    batch = [prediction() for _ in range(3)]
    tracker.track_predictions(batch)
    keys = [one["prediction_id"] for one in batch]
    unknown = uuid.uuid4()

    receipt = tracker.resolve_predictions([
        {"prediction": keys[0], "is_correct": True},
        {"prediction": unknown, "is_correct": True},
        {"prediction": "no uuid", "is_correct": True},
        {"prediction": keys[1]},
        {"prediction": keys[0], "is_correct": False},
        {"prediction": keys[2], "actual": [1.5], "timestamp": NOON.replace(tzinfo=None)},
        {"prediction": keys[2], "actual": float("nan")},
        {"prediction": keys[2], "actual": [1.5]},
        {"prediction": keys[0], "is_correct": True},
    ])  # fmt: skip

    assert (receipt.stored, receipt.duplicates) == (2, 1)
    assert [(index, error.field) for index, error in receipt.rejected] == [
        (1, "prediction"), (2, "prediction"), (3, "actual"), (4, "prediction"), (5, "timestamp"), (6, "actual"),
    ]  # fmt: skip
    assert ModelPrediction.objects.filter(resolved_at=None).count() == 1


def test_the_database_refuses_what_the_tracker_refuses(tracker):
    key = prediction()["prediction_id"]
    tracker.track_predictions([prediction(prediction_id=key)])

    with pytest.raises(IntegrityError, match="ck_modelprediction_resolved"):
        ModelPrediction.objects.filter(id=key).update(is_correct=True)
    with pytest.raises(DatabaseError, match="Cannot update"):
        ModelPrediction.objects.filter(id=key).update(confidence=0.1)
    tracker.log_model_performance(**performance())
    with pytest.raises(DatabaseError, match="Cannot update"):
        ModelPerformance.objects.update(accuracy_score=1)


def test_metrics_of_a_window_are_worked_out_from_predictions_and_evaluations(tracker):
    # (hour, confidence, right): two right out of three, one not judged, one of another version.
    told = [(0, 0.95, True), (1, 1.0, False), (2, 0.15, True), (3, 0.5, None)]
    batch = [prediction(timestamp=NOON + hour * HOUR, confidence=confidence) for hour, confidence, _right in told]
    tracker.track_predictions([*batch, prediction(model_version="8"), prediction(model_id="other")])
    tracker.resolve_predictions(
        {"prediction": one["prediction_id"], "is_correct": right}
        for one, (_hour, _confidence, right) in zip(batch, told, strict=True)
        if right is not None
    )
    tracker.resolve_predictions([{"prediction": batch[3]["prediction_id"], "actual": "sideways"}])
    for hour, accuracy, trades, won in ((0, 0.5, 10, 4), (1, 0.6, 30, 20)):
        at = NOON + hour * HOUR
        tracker.log_model_performance(
            **performance(timestamp=at, accuracy_score=accuracy, total_trades=trades, profitable_trades=won)
        )

    found = tracker.get_model_metrics("xgboost", model_version="7")

    assert (found.predictions, found.resolved, found.judged, found.correct) == (4, 4, 3, 2)
    assert found.accuracy == pytest.approx(2 / 3)
    assert (found.evaluations, found.trades, found.profitable_trades) == (2, 40, 24)
    assert (found.win_rate, found.reported_accuracy) == (0.6, 0.6)
    assert [(one.low, one.high, one.predictions, one.confidence, one.accuracy) for one in found.calibration] == [
        (0.1, 0.2, 1, 0.15, 1.0), (0.9, 1.0, 2, 0.975, 0.5),
    ]  # fmt: skip
    assert (found.stale, found.as_of is None) == (False, False)
    window = tracker.get_model_metrics("xgboost", model_version="7", start=NOON + HOUR, end=NOON + 2 * HOUR)
    assert (window.predictions, window.accuracy, window.trades) == (1, 0.0, 30)
    assert tracker.get_model_metrics("xgboost").predictions == 5


def test_nothing_to_divide_by_is_none_and_not_zero(tracker):
    found = tracker.get_model_metrics("nobody")

    assert (found.predictions, found.trades, found.calibration) == (0, 0, ())
    assert (found.accuracy, found.win_rate, found.reported_accuracy) == (None, None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [("model_id", ""), ("model_id", None), ("model_id", 5), ("model_version", "x" * 51), ("start", "yesterday"),
     ("end", NOON.replace(tzinfo=None)), ("buckets", 0), ("buckets", 1001), ("buckets", 2.5)],
)  # fmt: skip
def test_bad_arguments_of_metrics_are_refused_by_name(tracker, field, value):
    with pytest.raises(RejectedRecordError) as refusal:
        tracker.get_model_metrics(**{"model_id": "xgboost", field: value})

    assert refusal.value.field == field


class TestOverTime:
    """Calibration and drift by the month, of predictions whose figures can be worked out by hand."""

    @pytest.fixture
    def told(self, tracker):
        """January right two times in three, February once in two, with features that moved; March yet open."""
        made = []
        for month, confidence, right, level in (
            (1, 0.9, True, 1.0), (1, 0.6, True, 2.0), (1, 0.6, False, 3.0),
            (2, 0.8, True, 91.0), (2, 0.8, False, 92.0),
            (3, 0.7, None, 2.0),
        ):  # fmt: skip
            key = uuid.uuid4()
            at = dt.datetime(2026, month, 15, tzinfo=dt.UTC)
            features = {"level": level, "same": 5, "note": "no number"}
            made.append((prediction(prediction_id=key, timestamp=at, confidence=confidence, features=features), right))
        assert tracker.track_predictions(each for each, _ in made).stored == 6
        outcomes = [
            {"prediction": each["prediction_id"], "is_correct": right, "timestamp": NOON + 100 * 24 * HOUR}
            for each, right in made
            if right is not None
        ]
        assert tracker.resolve_predictions(outcomes).stored == 5

    def test_brier_and_accuracy_are_told_for_the_window_and_by_the_month(self, tracker, told):
        metrics = tracker.get_model_metrics("xgboost", every="month")

        january = (0.1**2 + 0.4**2 + 0.6**2) / 3
        february = (0.2**2 + 0.8**2) / 2
        assert metrics.brier == pytest.approx((3 * january + 2 * february) / 5)
        assert [period.starts_at.month for period in metrics.periods] == [1, 2, 3]
        assert [period.brier for period in metrics.periods] == [
            pytest.approx(january), pytest.approx(february), None,
        ]  # fmt: skip
        assert [period.accuracy for period in metrics.periods] == [pytest.approx(2 / 3), 0.5, None]
        assert [period.confidence for period in metrics.periods] == [pytest.approx(0.7), pytest.approx(0.8), None]
        assert tracker.get_model_metrics("xgboost").periods == ()

    def test_drift_is_from_the_first_month_or_from_what_lies_before_a_moment(self, tracker, told):
        first, second, third = tracker.get_model_metrics("xgboost", every="month").periods

        assert first.drift == {"level": 0.0, "same": 0.0}
        assert second.drift["level"] > 0.25 > second.drift["same"]
        assert third.drift.keys() == {"level", "same"}
        march = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
        by_both = tracker.get_model_metrics("xgboost", every="month", drift_until=march).periods
        assert by_both[0].drift["level"] > 0
        assert by_both[1].drift["level"] < second.drift["level"]

    @pytest.mark.parametrize("asked", [{"every": "moon"}, {"drift_until": NOON}, {"every": "day", "drift_until": "x"}])
    def test_a_cut_that_is_none_is_refused(self, tracker, asked):
        with pytest.raises(RejectedRecordError):
            tracker.get_model_metrics("xgboost", **asked)
