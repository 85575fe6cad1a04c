"""What a strategy is: bars of one symbol in, advice out; it knows no account and no order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from friren.core.numbers import ZERO
from friren.errors import RejectedRecordError

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["ENTRY_LONG", "EXIT_LONG", "Advice", "ModelEvidence", "Strategy", "efficiency_ratio", "require_window"]

# Texts of SignalType; this package stays importable without Django.
ENTRY_LONG: Final = "ENTRY_LONG"
EXIT_LONG: Final = "EXIT_LONG"

# Ten years of minute bars of one session a day; a longer window is a typing error, not a strategy.
WINDOW_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class ModelEvidence:
    """
    Which model advice comes from, and why it says so.

    Attributes:
        model_id, model_version: as they are logged.
        prediction: id of the ModelPrediction that says the same, stored or not.
        probability: that what was foretold comes true, 0..1.
        margin: its log-odds.
        base_value: log-odds before any feature; with the sum of `shap_values` it is the margin.
        shap_values: what each feature adds.
    """

    model_id: str
    model_version: str
    prediction: UUID
    probability: float
    margin: float
    base_value: float
    shap_values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Advice:
    """
    What a strategy thinks at the close of one bar.

    Attributes:
        kind: ENTRY_LONG or EXIT_LONG.
        confidence: 0..1; each strategy says what it measures.
        reasoning: one sentence with the figures that led to it.
        indicators: the same figures as plain floats, by name.
        evidence: of a model; None where none was asked.
    """

    kind: str
    confidence: float
    reasoning: str
    indicators: Mapping[str, float] = field(default_factory=dict)
    evidence: ModelEvidence | None = None


class Strategy(Protocol):
    """A strategy on one symbol. It is fed every bar once, oldest first, and never sees the next one."""

    @property
    def name(self) -> str:
        """The name it is registered and stored under."""

    @property
    def parameters(self) -> Mapping[str, int | float | str]:
        """What it was made with; stored with a run."""

    def on_bar(self, bar: Bar) -> Advice | None:
        """Take a finished bar; return advice when it changes the strategy's mind, else None."""


def require_window(field_name: str, value: object, *, at_least: int) -> int:
    """
    Return a window length in bars.

    Raises:
        RejectedRecordError: it is not a whole number from `at_least` to 1,000,000.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not at_least <= value <= WINDOW_MAX:
        raise RejectedRecordError(field_name, value, f"a whole number of bars from {at_least} to {WINDOW_MAX}")
    return value


def efficiency_ratio(closes: Sequence[Decimal]) -> float:
    """
    Return how straight the way of the closes was: 1 for a straight line, near 0 for noise.

    |last - first| / sum of |changes|; 0 when nothing moved. Source: P. J. Kaufman, Trading Systems
    and Methods, "efficiency ratio".
    """
    steps = sum((abs(later - earlier) for earlier, later in pairwise(closes)), ZERO)
    return float(abs(closes[-1] - closes[0]) / steps) if steps else 0.0
