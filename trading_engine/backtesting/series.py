"""Bars for a run: read from files, sorted, each moment once, of one timeframe."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from friren.errors import RejectedRecordError
from trading_engine.data.bars import Bar
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.importers.price_files import read_prices

__all__ = ["BarSeries", "series_of", "series_of_files"]


@dataclass(slots=True)
class BarSeries:
    """
    What a run can be made over.

    Attributes:
        series: bars by symbol, oldest first, each timestamp once.
        issues: lines of files that are no bar, or are one only after a change, in words.
        rejected: how many of these lines are no bar.
        repeated: bars left out because their symbol has one of that timestamp already; the first stays.
    """

    series: dict[str, list[Bar]]
    issues: list[str] = field(default_factory=list)
    rejected: int = 0
    repeated: int = 0

    @property
    def bars(self) -> list[Bar]:
        """All bars, by symbol and time."""
        return [bar for symbol in sorted(self.series) for bar in self.series[symbol]]


def series_of(bars: Iterable[Bar]) -> BarSeries:
    """
    Return bars as series.

    Raises:
        RejectedRecordError: there are none, or they are of different timeframes.
    """
    found: dict[str, dict[dt.datetime, Bar]] = {}
    timeframes: set[str] = set()
    repeated = 0
    for bar in bars:
        timeframes.add(bar.timeframe)
        of_symbol = found.setdefault(bar.symbol, {})
        repeated += bar.timestamp in of_symbol
        of_symbol.setdefault(bar.timestamp, bar)
    if not found:
        raise RejectedRecordError("bars", [], "at least one")
    if len(timeframes) > 1:
        raise RejectedRecordError("timeframe", sorted(timeframes), "one timeframe per run")
    series = {symbol: [moments[at] for at in sorted(moments)] for symbol, moments in found.items()}
    return BarSeries(series, repeated=repeated)


def series_of_files(
    paths: Sequence[Path],
    *,
    symbol: str | None = None,
    timezone: str | None = None,
    date_format: str | None = None,
) -> BarSeries:
    """
    Return the bars of files; the options are those of `read_prices`.

    Raises:
        UnreadableFileError: a file is missing, empty, or holds no bar.
        RejectedRecordError: an option is wrong, or the files are of different timeframes.
    """
    bars: list[Bar] = []
    issues: list[str] = []
    rejected = 0
    for path in paths:
        parsed = read_prices(path, symbol=symbol, timezone=timezone, date_format=date_format)
        before = len(bars)
        bars.extend(parsed.bars())
        issues.extend(f"{path.name}: {issue}" for issue in parsed.issues)
        rejected += sum(issue.rejected for issue in parsed.issues)
        if len(bars) == before:
            raise UnreadableFileError(path, "no line of it is a bar")
    loaded = series_of(bars)
    loaded.issues, loaded.rejected = issues, rejected
    return loaded
