"""Models that learn from bars: features, a walk forward, gradient-boosted trees, and a shelf to keep them on."""

from __future__ import annotations

from trading_engine.learning.booster import Booster, Forecast
from trading_engine.learning.features import FEATURES, WARM_UP_BARS, FeatureMaker, Sample, samples_of
from trading_engine.learning.shelf import (
    ModelVersion,
    TrainedModel,
    check_model_id,
    load_model,
    model_shelf,
    prediction_id,
    save_model,
    version_name,
)
from trading_engine.learning.walk_forward import Fold, TrainingPlan, folds

__all__ = [
    "FEATURES",
    "WARM_UP_BARS",
    "Booster",
    "FeatureMaker",
    "Fold",
    "Forecast",
    "ModelVersion",
    "Sample",
    "TrainedModel",
    "TrainingPlan",
    "check_model_id",
    "folds",
    "load_model",
    "model_shelf",
    "prediction_id",
    "samples_of",
    "save_model",
    "version_name",
]
