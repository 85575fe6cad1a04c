"""Trade what a trained model foretells, each bar by the version that was the newest then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from friren.errors import RejectedRecordError
from trading_engine.learning import FeatureMaker, TrainedModel, load_model, model_shelf, prediction_id
from trading_engine.strategies.base import ENTRY_LONG, EXIT_LONG, Advice, ModelEvidence

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["ModelSignals"]


class ModelSignals:
    """
    Enter when the model says that a rise is at least as likely as `enter`, leave when less likely than `leave`.

    A bar is judged by the version fitted at or before it, which has learnt from what was known by then; before the
    first version nothing happens. Advice bears the model, its version and the SHAP values of each feature. Confidence
    is the probability of what is advised: of a rise for an entry, of none for an exit.
    """

    name: ClassVar[str] = "model_signals"

    def __init__(self, *, model: str | TrainedModel, enter: float = 0.55, leave: float = 0.5) -> None:
        """
        Args:
            model: name of a model that `train_model` made on this machine, or the model.
            enter: 0..1.
            leave: 0..1, at most `enter`.

        Raises:
            RejectedRecordError: a parameter is out of range, or the name is none.
            ConfigurationError: there is no such model, or the extra `ml` is not installed.
        """
        if not 0 <= leave <= enter <= 1:
            raise RejectedRecordError("leave", leave, f"from 0 to enter ({enter}), which is at most 1")
        self._model = model if isinstance(model, TrainedModel) else load_model(model_shelf(), model)
        self._enter, self._leave = float(enter), float(leave)
        self._features = FeatureMaker()
        self._invested = False

    @property
    def parameters(self) -> Mapping[str, int | float | str]:
        """The model and the two thresholds."""
        return {"model": self._model.model_id, "enter": self._enter, "leave": self._leave}

    def on_bar(self, bar: Bar) -> Advice | None:
        """Take a finished bar; return advice when a threshold is passed."""
        features = self._features.on_bar(bar)
        version = self._model.version_at(bar.timestamp)
        if features is None or version is None:
            return None
        (probability,) = version.booster.probabilities([features])
        if self._invested == (probability >= (self._leave if self._invested else self._enter)):
            return None
        self._invested = not self._invested
        (forecast,) = version.booster.forecasts([features])
        threshold = self._enter if self._invested else self._leave
        strongest = sorted(forecast.shap_values.items(), key=lambda item: -abs(item[1]))[:3]
        return Advice(
            kind=ENTRY_LONG if self._invested else EXIT_LONG,
            confidence=forecast.probability if self._invested else 1 - forecast.probability,
            reasoning=(
                f"{self._model.model_id} {version.version} gives a rise {forecast.probability:.3f}"
                f" (threshold {threshold:.3f}): {', '.join(f'{name} {value:+.3f}' for name, value in strongest)}"
            ),
            indicators={"probability": forecast.probability, "margin": forecast.margin},
            evidence=ModelEvidence(
                model_id=self._model.model_id,
                model_version=version.version,
                prediction=prediction_id(self._model.model_id, version.version, bar.symbol, bar.timestamp),
                probability=forecast.probability,
                margin=forecast.margin,
                base_value=forecast.base_value,
                shap_values=forecast.shap_values,
            ),
        )
