"""Moving-average crossover: hold while the fast average of closes is above the slow one."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from trading_engine.strategies.base import ENTRY_LONG, EXIT_LONG, Advice, efficiency_ratio, require_window

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["SmaCross"]


class SmaCross:
    """
    Enter when the fast simple moving average crosses above the slow one, leave when it crosses below.

    The averages include the bar just finished. A cross needs a reading on the other side before it, so
    averages that start out apart give no signal; equal averages count as no change. The comparison is
    exact (sums of Decimals), so no rounding makes or hides a cross. Confidence is Kaufman's efficiency
    ratio of the slow window: how much of a trend there was to follow.

    Source: W. Brock, J. Lakonishok, B. LeBaron, "Simple technical trading rules and the stochastic
    properties of stock returns", Journal of Finance 47 (1992); 50 and 200 days are the "golden cross".
    """

    name: ClassVar[str] = "sma_cross"

    def __init__(self, *, fast: int = 50, slow: int = 200) -> None:
        """
        Args:
            fast: bars of the fast average, at least 1.
            slow: bars of the slow average, more than `fast`.

        Raises:
            RejectedRecordError: a window is out of range.
        """
        self._fast_bars = require_window("fast", fast, at_least=1)
        self._slow_bars = require_window("slow", slow, at_least=2)
        if self._fast_bars >= self._slow_bars:
            raise RejectedRecordError("fast", fast, f"fewer bars than slow ({slow})")
        self._closes: deque[Decimal] = deque(maxlen=self._slow_bars)
        self._fast_sum = ZERO
        self._slow_sum = ZERO
        self._above: bool | None = None

    @property
    def parameters(self) -> Mapping[str, int | float]:
        """The two windows."""
        return {"fast": self._fast_bars, "slow": self._slow_bars}

    def on_bar(self, bar: Bar) -> Advice | None:
        """Take a finished bar; return advice on a cross."""
        self._push(bar.close)
        if len(self._closes) < self._slow_bars:
            return None
        # fast_sum / fast > slow_sum / slow, without a division that would round.
        fast = CONTEXT.multiply(self._fast_sum, self._slow_bars)
        slow = CONTEXT.multiply(self._slow_sum, self._fast_bars)
        if fast == slow:
            return None
        before, self._above = self._above, fast > slow
        if before is None or before == self._above:
            return None
        return self._advice(bar)

    def _push(self, close: Decimal) -> None:
        # Before appending: the full deque still holds the close that falls out of each window.
        count = len(self._closes)
        if count >= self._fast_bars:
            self._fast_sum = CONTEXT.subtract(self._fast_sum, self._closes[count - self._fast_bars])
        if count == self._slow_bars:
            self._slow_sum = CONTEXT.subtract(self._slow_sum, self._closes[0])
        self._closes.append(close)
        self._fast_sum = CONTEXT.add(self._fast_sum, close)
        self._slow_sum = CONTEXT.add(self._slow_sum, close)

    def _advice(self, bar: Bar) -> Advice:
        fast = float(self._fast_sum) / self._fast_bars
        slow = float(self._slow_sum) / self._slow_bars
        way = "above" if self._above else "below"
        return Advice(
            kind=ENTRY_LONG if self._above else EXIT_LONG,
            confidence=efficiency_ratio(list(self._closes)),
            reasoning=(
                f"SMA {self._fast_bars} ({fast:.4f}) crossed {way} SMA {self._slow_bars} ({slow:.4f})"
                f" at close {float(bar.close):.4f}"
            ),
            indicators={"sma_fast": fast, "sma_slow": slow},
        )
