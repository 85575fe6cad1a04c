"""Donchian channel breakout: buy a new high of some weeks, sell a new low of fewer."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from trading_engine.strategies.base import ENTRY_LONG, EXIT_LONG, Advice, efficiency_ratio, require_window

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["DonchianBreakout"]


class DonchianBreakout:
    """
    Enter when a bar closes above the highest high of the bars before it, leave below their lowest low.

    The channels are made of the bars before the one just finished, so a bar can break them at all. The
    breakout is judged at the close, not inside the bar: the order of a bar's high and low is unknown.
    Confidence is Kaufman's efficiency ratio of the closes of the entry window.

    Source: R. Donchian's weekly rule in the form of the Turtle system 1 (20 bars in, 10 bars out);
    C. M. Faith, Way of the Turtle (2007).
    """

    name: ClassVar[str] = "donchian_breakout"

    def __init__(self, *, entry_bars: int = 20, exit_bars: int = 10) -> None:
        """
        Args:
            entry_bars: bars of the channel whose high is bought, at least 2.
            exit_bars: bars of the channel whose low is sold, at least 1.

        Raises:
            RejectedRecordError: a window is out of range.
        """
        self._entry_bars = require_window("entry_bars", entry_bars, at_least=2)
        self._exit_bars = require_window("exit_bars", exit_bars, at_least=1)
        self._highs: deque[Decimal] = deque(maxlen=self._entry_bars)
        self._lows: deque[Decimal] = deque(maxlen=self._exit_bars)
        self._closes: deque[Decimal] = deque(maxlen=self._entry_bars)
        self._invested = False

    @property
    def parameters(self) -> Mapping[str, int | float]:
        """The two channels."""
        return {"entry_bars": self._entry_bars, "exit_bars": self._exit_bars}

    def on_bar(self, bar: Bar) -> Advice | None:
        """Take a finished bar; return advice on a breakout."""
        advice = self._breakout(bar)
        self._highs.append(bar.high)
        self._lows.append(bar.low)
        self._closes.append(bar.close)
        return advice

    def _breakout(self, bar: Bar) -> Advice | None:
        if self._invested:
            if len(self._lows) < self._exit_bars or bar.close >= (low := min(self._lows)):
                return None
            self._invested = False
            return self._advice(EXIT_LONG, bar, low, f"below the low {low:.4f} of {self._exit_bars} bars")
        if len(self._highs) < self._entry_bars or bar.close <= (high := max(self._highs)):
            return None
        self._invested = True
        return self._advice(ENTRY_LONG, bar, high, f"above the high {high:.4f} of {self._entry_bars} bars")

    def _advice(self, kind: str, bar: Bar, level: Decimal, how: str) -> Advice:
        return Advice(
            kind=kind,
            confidence=efficiency_ratio([*self._closes, bar.close]),
            reasoning=f"close {bar.close:.4f} {how}",
            indicators={"channel": float(level), "close": float(bar.close)},
        )
