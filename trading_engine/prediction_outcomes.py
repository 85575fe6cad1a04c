"""What comes of predictions: told once each."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from friren.errors import InvalidTransitionError
from friren.persistence.codec import register_record
from friren.persistence.facts import Fact
from friren.persistence.handlers import register_handler
from friren.persistence.policies import KindPolicy, register_policy
from trading_engine.audited_moves import AuditedMoves
from trading_engine.models import ModelPrediction

__all__ = ["PREDICTION_OUTCOME", "register"]

PREDICTION_OUTCOME: Final = "prediction_outcome"


def register() -> None:
    """Register the kind `prediction_outcome`."""
    register_record(PREDICTION_OUTCOME, {"actual": Any, "is_correct": bool, "resolved_at": dt.datetime})
    register_handler(PREDICTION_OUTCOME, _moves.one, batch=_moves.many, after=(ModelPrediction,))
    register_policy(PREDICTION_OUTCOME, KindPolicy(ordered=True))


def _decide(row: Any, fact: Fact, _seen: None) -> dict[str, Any]:
    """Return the outcome to fill in; raise InvalidTransitionError when there is another one."""
    told = {name: fact.values.get(name) for name in ModelPrediction.lifecycle}
    if row.resolved_at is None:
        return told
    if (row.actual, row.is_correct) == (told["actual"], told["is_correct"]):
        return {}
    raise InvalidTransitionError("prediction", row.pk, "is resolved with another outcome, for good")


_moves: Final = AuditedMoves(ModelPrediction, "prediction", columns=ModelPrediction.lifecycle, decide=_decide)
