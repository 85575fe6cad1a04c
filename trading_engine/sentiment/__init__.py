"""Scorers of news: how a headline sounds, by a lexicon or by a model on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from friren.errors import RejectedRecordError
from trading_engine.sentiment.finbert import FinbertScorer
from trading_engine.sentiment.scores import LABELS, NEGATIVE, NEUTRAL, POSITIVE, Score, Scorer
from trading_engine.sentiment.vader import VaderScorer

__all__ = [
    "LABELS",
    "NEGATIVE",
    "NEUTRAL",
    "POSITIVE",
    "SCORERS",
    "FinbertScorer",
    "Score",
    "Scorer",
    "VaderScorer",
    "create_scorer",
]

SCORERS: Final = ("vader", "finbert")


def create_scorer(name: str, *, model: Path | None = None) -> Scorer:
    """
    Return a scorer by its name.

    Args:
        model: folder of the model; finbert wants one, vader none.

    Raises:
        RejectedRecordError: there is no scorer of that name, or `model` does not fit it.
        ConfigurationError: it needs an extra that is not installed, or the folder holds no such model.
    """
    if name not in SCORERS:
        raise RejectedRecordError("scorer", name, f"one of {', '.join(SCORERS)}")
    if name == "vader":
        if model is not None:
            raise RejectedRecordError("model", str(model), "none for vader, which has a lexicon")
        return VaderScorer()
    if model is None:
        raise RejectedRecordError("model", None, "the folder of the exported model, for finbert")
    return FinbertScorer(model)
