"""What a model is told of a bar: figures of it and of the bars before it, and what came of it afterwards."""

from __future__ import annotations

import datetime as dt
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from friren.errors import RejectedRecordError

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["FEATURES", "WARM_UP_BARS", "FeatureMaker", "Sample", "samples_of"]

# In this order everywhere. All are free of scale, so that one model may learn from many symbols.
FEATURES: Final = (
    "return_1",
    "return_5",
    "return_21",
    "return_63",
    "volatility_21",
    "volatility_ratio",
    "rsi_14",
    "distance_50",
    "distance_200",
    "drawdown_200",
    "range_1",
    "volume_ratio_21",
)
WARM_UP_BARS: Final = 200
_MONTH: Final = 21
_RSI_BARS: Final = 14


class FeatureMaker:
    """
    Turns the bars of one symbol into features, one bar at a time: in training and in trading it is the same code.

    - return_n: log return of n bars.
    - volatility_21: root mean square of 21 log returns; volatility_ratio: that over the same of 199.
    - rsi_14: ups over ups and downs of 14 bars, 0 to 1 (D. Cutler's, with simple sums).
    - distance_n: log close less the mean of n log closes; drawdown_200: less the highest of 200.
    - range_1: ln(high / low); volume_ratio_21: volume over the mean of 21, 1 where there is none.
    """

    def __init__(self) -> None:
        self._closes: deque[float] = deque(maxlen=WARM_UP_BARS)
        self._volumes: deque[float] = deque(maxlen=_MONTH)

    def on_bar(self, bar: Bar) -> tuple[float, ...] | None:
        """
        Take a finished bar; return its features in the order of FEATURES, or None while there are too few bars.

        A bar with a price that is not positive has no logarithm: it is left out.
        """
        if min(bar.close, bar.low) <= 0:
            return None
        self._closes.append(math.log(bar.close))
        self._volumes.append(float(bar.volume))
        if len(self._closes) < WARM_UP_BARS:
            return None
        closes = list(self._closes)
        returns = [later - earlier for earlier, later in pairwise(closes)]
        last = closes[-1]
        short, usual = _root_mean_square(returns[-_MONTH:]), _root_mean_square(returns)
        ups = math.fsum(max(value, 0.0) for value in returns[-_RSI_BARS:])
        moves = math.fsum(map(abs, returns[-_RSI_BARS:]))
        volume = math.fsum(self._volumes) / len(self._volumes)
        return (
            *(last - closes[-1 - bars] for bars in (1, 5, 21, 63)),
            short,
            short / usual if usual else 1.0,
            ups / moves if moves else 0.5,
            last - math.fsum(closes[-50:]) / 50,
            last - math.fsum(closes) / len(closes),
            last - max(closes),
            math.log(float(bar.high) / float(bar.low)),
            self._volumes[-1] / volume if volume else 1.0,
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """
    The features of one bar, and what came of it.

    Attributes:
        timestamp: of the bar, aware UTC.
        features: in the order of FEATURES.
        gain: open of the bar `horizon` + 1 later over the open of the next bar, less 1: what somebody gets who acts on
            this bar as the trading cycle does. None while that bar has not come.
        due_at: timestamp of that bar; None as well.
    """

    symbol: str
    timestamp: dt.datetime
    features: tuple[float, ...]
    gain: float | None = None
    due_at: dt.datetime | None = None

    @property
    def up(self) -> bool:
        """Whether it went up, which is what models foretell."""
        return self.gain is not None and self.gain > 0


def samples_of(symbol: str, bars: Sequence[Bar], *, horizon: int) -> list[Sample]:
    """
    Return the samples of a symbol, oldest first.

    Args:
        bars: of one timeframe, oldest first.
        horizon: bars between entry and exit, at least 1.

    Raises:
        RejectedRecordError: the horizon is less than 1.
    """
    if horizon < 1:
        raise RejectedRecordError("horizon", horizon, "at least 1 bar")
    maker = FeatureMaker()
    samples = []
    for index, bar in enumerate(bars):
        features = maker.on_bar(bar)
        if features is None:
            continue
        due = index + 1 + horizon
        if due < len(bars) and bars[index + 1].open > 0:
            gain = float(bars[due].open / bars[index + 1].open) - 1
            samples.append(Sample(symbol, bar.timestamp, features, gain, bars[due].timestamp))
        else:
            samples.append(Sample(symbol, bar.timestamp, features))
    return samples


def _root_mean_square(values: Sequence[float]) -> float:
    return math.sqrt(math.fsum(value * value for value in values) / len(values))
