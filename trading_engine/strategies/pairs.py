"""Pairs: trade the spread of two cointegrated symbols when it is far from its mean, until it is back."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from friren.errors import RejectedRecordError
from trading_engine.strategies.base import ENTRY_LONG, EXIT_LONG, require_window

if TYPE_CHECKING:
    import numpy as np

    from trading_engine.data.bars import Bar
    from trading_engine.pairs.analysis import Line

__all__ = ["ENTRY_SHORT", "EXIT_SHORT", "STOP_LONG", "STOP_SHORT", "PairAdvice", "PairStrategy", "Pairs"]

# Texts of SignalType, of the spread: long is the first symbol bought and the second sold.
ENTRY_SHORT: Final = "ENTRY_SHORT"
EXIT_SHORT: Final = "EXIT_SHORT"
STOP_LONG: Final = "STOP_LONG"
STOP_SHORT: Final = "STOP_SHORT"


@dataclass(frozen=True, slots=True)
class PairAdvice:
    """
    What a strategy thinks of a pair at the close of a bar of both.

    Attributes:
        kind: ENTRY_, EXIT_ or STOP_, LONG or SHORT.
        z_score, spread: where the spread stands, first - hedge_ratio × second.
        hedge_ratio: units of the second symbol per unit of the first, the other way round.
        reason: of an exit: SIGNAL, STOP or TIMEOUT.
        confidence: 0..1.
        reasoning: one sentence with the figures that led to it.
        indicators: the same figures by name.
    """

    kind: str
    z_score: float
    spread: float
    hedge_ratio: float
    reason: str
    confidence: float
    reasoning: str
    indicators: Mapping[str, float] = field(default_factory=dict)


class PairStrategy(Protocol):
    """A strategy on two symbols. It is fed every moment at which both have a bar, and never sees the next one."""

    @property
    def name(self) -> str:
        """The name it is registered and stored under."""

    @property
    def parameters(self) -> Mapping[str, int | float]:
        """What it was made with; stored with a run."""

    def on_bars(self, first: Bar, second: Bar) -> PairAdvice | None:
        """Take finished bars of one moment; return advice when they change the strategy's mind, else None."""


@dataclass(slots=True)
class _Held:
    """What a position was entered by; it is judged by that until it ends."""

    side: int  # 1 long of the spread, -1 short
    line: Line
    mean: float
    deviation: float
    bars: int = 0


class Pairs:
    """
    Enter when the z-score of the spread passes `entry_z`, leave when it is back within `exit_z`.

    Hedge ratio, mean and deviation of the spread are those of the last `lookback` closes, the newest included. Every
    `refit` bars the closes are tested (Engle and Granger); nothing is entered while p is above `max_pvalue`. What is
    held is judged by the line, mean and deviation it was entered by: it ends at `exit_z`, as a loss at `stop_z`, or
    after `max_bars`. After a stop the spread must first come back within `entry_z`. Confidence is 1 - p.

    Source: E. Gatev, W. Goetzmann, K. Rouwenhorst, "Pairs trading", Review of Financial Studies 19 (2006), with the
    hedge ratio of R. F. Engle and C. W. J. Granger, Econometrica 55 (1987).
    """

    name: ClassVar[str] = "pairs"

    def __init__(
        self,
        *,
        lookback: int = 252,
        refit: int = 21,
        entry_z: float = 2.0,
        exit_z: float = 0.5,
        stop_z: float = 4.0,
        max_bars: int = 63,
        max_pvalue: float = 0.05,
    ) -> None:
        """
        Args:
            lookback: closes of the estimate, at least OBSERVATIONS_MIN.
            refit, max_bars: bars, at least 1.
            entry_z, exit_z, stop_z: 0 <= exit_z < entry_z < stop_z.
            max_pvalue: above 0, at most 1; at 1 nothing is tested.

        Raises:
            RejectedRecordError: a parameter is out of range.
        """
        from trading_engine.pairs.analysis import OBSERVATIONS_MIN

        self._lookback = require_window("lookback", lookback, at_least=OBSERVATIONS_MIN)
        self._refit = require_window("refit", refit, at_least=1)
        self._max_bars = require_window("max_bars", max_bars, at_least=1)
        if not 0 <= exit_z < entry_z < stop_z < math.inf:
            raise RejectedRecordError("entry_z", entry_z, f"between exit_z ({exit_z}, 0 or more) and stop_z ({stop_z})")
        if not 0 < max_pvalue <= 1:
            raise RejectedRecordError("max_pvalue", max_pvalue, "above 0 and at most 1")
        self._entry_z, self._exit_z, self._stop_z = float(entry_z), float(exit_z), float(stop_z)
        self._max_pvalue = float(max_pvalue)
        self._first: deque[float] = deque(maxlen=lookback)
        self._second: deque[float] = deque(maxlen=lookback)
        self._since_test = 0
        self._pvalue: float | None = None
        self._held: _Held | None = None
        self._stopped = False

    @property
    def parameters(self) -> Mapping[str, int | float]:
        """All that it can be made with."""
        return {
            "lookback": self._lookback, "refit": self._refit, "entry_z": self._entry_z, "exit_z": self._exit_z,
            "stop_z": self._stop_z, "max_bars": self._max_bars, "max_pvalue": self._max_pvalue,
        }  # fmt: skip

    def on_bars(self, first: Bar, second: Bar) -> PairAdvice | None:
        """Take finished bars of one moment; return advice when a threshold is passed."""
        self._first.append(float(first.close))
        self._second.append(float(second.close))
        if len(self._first) < self._lookback:
            return None
        import numpy as np

        one, other = np.array(self._first), np.array(self._second)
        if np.ptp(one) == 0 or np.ptp(other) == 0:
            return None
        self._test(one, other)
        return self._entry(one, other) if self._held is None else self._exit(self._held)

    def _test(self, one: np.ndarray, other: np.ndarray) -> None:
        if self._max_pvalue < 1 and (self._pvalue is None or self._since_test >= self._refit):
            from trading_engine.pairs.analysis import cointegration_of

            _t, self._pvalue = cointegration_of(one, other)
            self._since_test = 0
        self._since_test += 1

    def _entry(self, one: np.ndarray, other: np.ndarray) -> PairAdvice | None:
        import numpy as np

        from trading_engine.pairs.analysis import fit_line

        line = fit_line(one, other)
        spreads = one - line.slope * other
        mean, deviation = float(spreads.mean()), float(spreads.std())
        # What rounding leaves of a spread that does not vary is no deviation.
        if deviation <= 1e-12 * max(1.0, float(np.abs(one).max())):
            return None
        z_score = (float(spreads[-1]) - mean) / deviation
        self._stopped = self._stopped and abs(z_score) >= self._entry_z
        cointegrated = self._pvalue is None or self._pvalue <= self._max_pvalue
        if self._stopped or not cointegrated or not self._entry_z <= abs(z_score) < self._stop_z:
            return None
        self._held = _Held(-1 if z_score > 0 else 1, line, mean, deviation)
        return self._advice(ENTRY_LONG if z_score < 0 else ENTRY_SHORT, self._held, z_score, "")

    def _exit(self, held: _Held) -> PairAdvice | None:
        held.bars += 1
        spread = self._first[-1] - held.line.slope * self._second[-1]
        z_score = (spread - held.mean) / held.deviation
        # How far it still has to come back; negative once it is beyond the mean.
        away = -held.side * z_score
        if away >= self._stop_z:
            kind, reason, self._stopped = (STOP_LONG if held.side > 0 else STOP_SHORT), "STOP", True
        elif away <= self._exit_z:
            kind, reason = (EXIT_LONG if held.side > 0 else EXIT_SHORT), "SIGNAL"
        elif held.bars >= self._max_bars:
            kind, reason = (EXIT_LONG if held.side > 0 else EXIT_SHORT), "TIMEOUT"
        else:
            return None
        self._held = None
        return self._advice(kind, held, z_score, reason)

    def _advice(self, kind: str, held: _Held, z_score: float, reason: str) -> PairAdvice:
        spread = self._first[-1] - held.line.slope * self._second[-1]
        pvalue = self._pvalue if self._pvalue is not None else 1.0
        return PairAdvice(
            kind=kind,
            z_score=z_score,
            spread=spread,
            hedge_ratio=held.line.slope,
            reason=reason,
            confidence=1.0 - pvalue,
            reasoning=(
                f"the spread {spread:.4f} (hedge ratio {held.line.slope:.4f}) is {z_score:+.2f} deviations from its "
                f"mean {held.mean:.4f} of {self._lookback} bars, p {pvalue:.4f}" + (f": {reason}" if reason else "")
            ),
            indicators={
                "z_score": z_score, "spread": spread, "hedge_ratio": held.line.slope, "mean": held.mean,
                "deviation": held.deviation, "pvalue": pvalue,
            },
        )  # fmt: skip
