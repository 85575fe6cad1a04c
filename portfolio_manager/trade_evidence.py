"""What a trade keeps of the model that it was made on."""

from __future__ import annotations

from typing import Any, TypedDict

from trading_engine.backtesting import StrategySignal

__all__ = ["ModelDetails", "model_evidence"]


class ModelDetails(TypedDict, total=False):
    """Those of TradeDetails that a model fills."""

    model_id: str
    shap_values: dict[str, Any]
    extra: dict[str, Any]


def model_evidence(signal: StrategySignal) -> ModelDetails:
    """
    Return model, SHAP values and, in `extra`, what the values add up with; nothing where no model was asked.

    `prediction` is the id of the ModelPrediction that says the same, by which its outcome is joined to the trade.
    """
    model = signal.evidence
    if model is None:
        return {}
    told = {
        "model_version": model.model_version,
        "prediction": str(model.prediction),
        "probability": model.probability,
        "margin": model.margin,
        "base_value": model.base_value,
    }
    return {"model_id": model.model_id, "shap_values": dict(model.shap_values), "extra": told}
