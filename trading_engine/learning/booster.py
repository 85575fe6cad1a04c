"""Gradient-boosted trees by XGBoost: fitted, asked, and made to explain themselves exactly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from friren.errors import RejectedRecordError
from trading_engine.extras import require_extra
from trading_engine.learning.features import FEATURES
from trading_engine.learning.walk_forward import TrainingPlan

__all__ = ["Booster", "Forecast"]

_WANTED_BY: Final = "a model that learns"


@dataclass(frozen=True, slots=True)
class Forecast:
    """
    What a model says about one sample, and why.

    Attributes:
        probability: that it goes up, 0..1.
        margin: its log-odds.
        base_value: the log-odds that the model starts from; with the sum of `shap_values` it is the margin.
        shap_values: what each feature adds to the log-odds, by its name.
    """

    probability: float
    margin: float
    base_value: float
    shap_values: Mapping[str, float]


class Booster:
    """
    A fitted model.

    SHAP values are those of TreeSHAP, which XGBoost works out itself (`pred_contribs`): exact, and additive.

    Source: T. Chen, C. Guestrin, "XGBoost", KDD 2016; S. Lundberg and others, "From local explanations to global
    understanding with explainable AI for trees", Nature Machine Intelligence 2 (2020).
    """

    def __init__(self, content: bytes) -> None:
        """
        Args:
            content: what `fit` returned as `content` before.

        Raises:
            ConfigurationError: the extra `ml` is not installed.
            RejectedRecordError: it is no model, or one of other features.
        """
        self._xgboost, self._numpy = _modules()
        self.content = content
        self._booster = self._xgboost.Booster({"nthread": 1})
        try:
            self._booster.load_model(bytearray(content))
        except self._xgboost.core.XGBoostError as exc:
            raise RejectedRecordError("model", f"{len(content)} bytes", "a model of XGBoost") from exc
        if tuple(self._booster.feature_names or ()) != FEATURES:
            raise RejectedRecordError("features", self._booster.feature_names, f"{', '.join(FEATURES)}")

    @classmethod
    def fit(cls, rows: Sequence[Sequence[float]], ups: Sequence[bool], *, plan: TrainingPlan) -> Booster:
        """
        Fit on features and whether it went up; the same input gives the same bytes.

        Raises:
            ConfigurationError: the extra `ml` is not installed.
            RejectedRecordError: there is nothing to learn from: all went the same way.
        """
        xgboost, numpy = _modules()
        if len(set(ups)) < 2:
            raise RejectedRecordError("samples", len(ups), "some that went up and some that did not")
        data = xgboost.DMatrix(
            numpy.array(rows, dtype=numpy.float32),
            label=numpy.array(ups, dtype=numpy.float32),
            feature_names=list(FEATURES),
            nthread=1,
        )
        settings = {
            "objective": "binary:logistic",
            "max_depth": plan.depth,
            "eta": plan.rate,
            "min_child_weight": plan.leaf_weight,
            "subsample": plan.subsample,
            "seed": plan.seed,
            "tree_method": "hist",
            "nthread": 1,  # sums of floats depend on the order, and versions bear the digest of the model
        }
        return cls(bytes(xgboost.train(settings, data, num_boost_round=plan.rounds).save_raw("ubj")))

    def probabilities(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """Return for each row how likely it goes up."""
        return [float(value) for value in self._booster.predict(self._matrix(rows))] if rows else []

    def forecasts(self, rows: Sequence[Sequence[float]]) -> list[Forecast]:
        """Return for each row how likely it goes up, and what each feature adds to it."""
        if not rows:
            return []
        data = self._matrix(rows)
        margins = self._booster.predict(data, output_margin=True).tolist()
        shares = self._booster.predict(data, pred_contribs=True).tolist()
        return [
            Forecast(1 / (1 + math.exp(-margin)), margin, share[-1], dict(zip(FEATURES, share[:-1], strict=True)))
            for margin, share in zip(margins, shares, strict=True)
        ]

    def _matrix(self, rows: Sequence[Sequence[float]]) -> Any:
        content = self._numpy.array(rows, dtype=self._numpy.float32)
        return self._xgboost.DMatrix(content, feature_names=list(FEATURES), nthread=1)


def _modules() -> tuple[Any, Any]:
    return tuple(require_extra(name, extra="ml", wanted_by=_WANTED_BY) for name in ("xgboost", "numpy"))  # type: ignore[return-value]
