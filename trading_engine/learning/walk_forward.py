"""Which samples a model may learn from, and which it is asked about: always later ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from friren.errors import RejectedRecordError
from trading_engine.learning.features import Sample

__all__ = ["Fold", "TrainingPlan", "folds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """
    How models are trained; set beforehand, and the same for all versions.

    Few, shallow and slowly learning trees, for the signal is weak: depth 3 and a rate of 0.05 are at the careful end
    of J. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29 (2001).

    Attributes:
        horizon: bars from entry to exit of what is foretold.
        first_bars: moments with samples before the first fit: three years of days.
        step_bars: moments between fits, a year.
        rounds, depth, rate: number of trees, their depth, and what each may change.
        leaf_weight: least sum of second derivatives in a leaf; a sample has at most 1/4.
        subsample: share of the samples that each tree is grown from.
        seed: of that choice.
    """

    horizon: int = 5
    first_bars: int = 756
    step_bars: int = 252
    rounds: int = 100
    depth: int = 3
    rate: float = 0.05
    leaf_weight: float = 10.0
    subsample: float = 0.8
    seed: int = 7

    def __post_init__(self) -> None:
        for name in ("horizon", "first_bars", "step_bars", "rounds", "depth"):
            if (value := getattr(self, name)) < 1:
                raise RejectedRecordError(name, value, "at least 1")
        for name in ("rate", "subsample"):
            if not 0 < (share := getattr(self, name)) <= 1:
                raise RejectedRecordError(name, share, "more than 0, at most 1")


@dataclass(frozen=True, slots=True)
class Fold:
    """
    One fit and what it is asked.

    Attributes:
        fitted_at: timestamp of the bar at whose close the fit is made.
        train: samples whose outcome was known by then.
        test: samples from then on, before the next fit.
    """

    fitted_at: dt.datetime
    train: Sequence[Sample]
    test: Sequence[Sample]


def folds(samples: Sequence[Sample], *, plan: TrainingPlan) -> Iterator[Fold]:
    """
    Yield the folds of a walk forward, oldest first.

    The train set grows. A sample is in it once its outcome is known, so that what is learnt from never overlaps what
    is asked; M. López de Prado, Advances in Financial Machine Learning (2018), calls this purging.

    Args:
        samples: of any symbols, in any order.

    Raises:
        RejectedRecordError: there are too few moments for a first fit.
    """
    ordered = sorted(samples, key=lambda sample: (sample.timestamp, sample.symbol))
    moments = sorted({sample.timestamp for sample in ordered})
    starts = moments[plan.first_bars :: plan.step_bars]
    if not starts:
        raise RejectedRecordError(
            "bars", len(moments), f"more than first_bars ({plan.first_bars}) moments with features"
        )
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        yield Fold(
            fitted_at=start,
            train=[sample for sample in ordered if sample.due_at is not None and sample.due_at <= start],
            test=[
                sample for sample in ordered if start <= sample.timestamp and (end is None or sample.timestamp < end)
            ],
        )
