"""Mean reversion: buy a close far below its rolling mean, sell when it is back."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from friren.errors import RejectedRecordError
from trading_engine.strategies.base import ENTRY_LONG, EXIT_LONG, Advice, require_window

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["MeanReversion"]


class MeanReversion:
    """
    Enter when the z-score of the close falls to `entry_z` or below, leave when it is back at `exit_z`.

    z = (close - mean) / standard deviation, both over the last `window` closes including the bar just
    finished, with the population deviation (divided by n), as in Bollinger bands. Where the closes do
    not vary z is undefined and nothing happens. With z so defined |z| <= sqrt(window - 1). Confidence is
    the share of a normal distribution nearer to the mean than this close: erf(|z| / sqrt 2).

    Source: J. Bollinger, Bollinger on Bollinger Bands (2001): 20 bars, two deviations.
    """

    name: ClassVar[str] = "mean_reversion"

    def __init__(self, *, window: int = 20, entry_z: float = -2.0, exit_z: float = 0.0) -> None:
        """
        Args:
            window: closes of the mean and the deviation, at least 3.
            entry_z: below 0, and reachable: above -sqrt(window - 1).
            exit_z: above `entry_z`, below sqrt(window - 1).

        Raises:
            RejectedRecordError: a parameter is out of range.
        """
        self._window = require_window("window", window, at_least=3)
        reach = math.sqrt(self._window - 1)
        if not -reach < entry_z < 0:
            raise RejectedRecordError("entry_z", entry_z, f"between {-reach:.3f}, the reach of {window} bars, and 0")
        if not entry_z < exit_z < reach:
            raise RejectedRecordError("exit_z", exit_z, f"between entry_z ({entry_z}) and {reach:.3f}")
        self._entry_z, self._exit_z = float(entry_z), float(exit_z)
        self._closes: deque[float] = deque(maxlen=self._window)
        self._invested = False

    @property
    def parameters(self) -> Mapping[str, int | float]:
        """The window and the two thresholds."""
        return {"window": self._window, "entry_z": self._entry_z, "exit_z": self._exit_z}

    def on_bar(self, bar: Bar) -> Advice | None:
        """Take a finished bar; return advice when a threshold is passed."""
        self._closes.append(float(bar.close))
        # Asked of the closes and not of the deviation, which rounding can leave a hair above zero.
        if len(self._closes) < self._window or min(self._closes) == max(self._closes):
            return None
        mean = math.fsum(self._closes) / self._window
        deviation = math.sqrt(math.fsum((close - mean) ** 2 for close in self._closes) / self._window)
        z_score = (self._closes[-1] - mean) / deviation
        if self._invested and z_score >= self._exit_z:
            self._invested = False
            return self._advice(EXIT_LONG, z_score, mean)
        if not self._invested and z_score <= self._entry_z:
            self._invested = True
            return self._advice(ENTRY_LONG, z_score, mean)
        return None

    def _advice(self, kind: str, z_score: float, mean: float) -> Advice:
        threshold = self._entry_z if kind == ENTRY_LONG else self._exit_z
        return Advice(
            kind=kind,
            confidence=math.erf(abs(z_score) / math.sqrt(2)),
            reasoning=(
                f"close {self._closes[-1]:.4f} is {z_score:+.2f} deviations from its mean {mean:.4f}"
                f" of {self._window} bars (threshold {threshold:+.2f})"
            ),
            indicators={"z_score": z_score, "mean": mean},
        )
