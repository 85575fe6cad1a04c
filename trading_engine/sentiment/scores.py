"""What a scorer says about a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["LABELS", "NEGATIVE", "NEUTRAL", "POSITIVE", "Score", "Scorer"]

POSITIVE: Final = "positive"
NEUTRAL: Final = "neutral"
NEGATIVE: Final = "negative"
LABELS: Final = (POSITIVE, NEUTRAL, NEGATIVE)


@dataclass(frozen=True, slots=True)
class Score:
    """
    How a text sounds.

    Attributes:
        value: -1 (bad) to 1 (good).
        label: one of LABELS.
        confidence: 0..1, how sure the scorer is of the label; each says what it measures.
        shares: of each label, 0..1.
    """

    value: float
    label: str
    confidence: float
    shares: Mapping[str, float]


class Scorer(Protocol):
    """Judges texts. A model of one's own needs these two members and nothing else."""

    @property
    def model_id(self) -> str:
        """The name its scores are stored under, at most 50 characters: another one for every version."""

    def score(self, texts: Sequence[str]) -> Sequence[Score]:
        """Return a score of each text, in their order."""
