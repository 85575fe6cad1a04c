"""Bars for a run out of the price table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from friren.errors import FrirenError, RejectedRecordError
from trading_engine.backtesting.series import BarSeries, series_of
from trading_engine.data.bars import Bar
from trading_engine.services.price_recorder import PriceRecorder

__all__ = ["series_of_store"]

PAGE_ROWS: Final = 50_000


def series_of_store(symbols: Sequence[str], *, timeframe: str = "1d", source: str | None = None) -> BarSeries:
    """
    Return the stored bars of symbols.

    Args:
        source: whose bars; may be left out where a symbol has bars of one source only.

    Raises:
        RejectedRecordError: a symbol has no such bar, or has them of several sources.
        FrirenError: the database does not answer, so the bars cannot be read.
    """
    bars: list[Bar] = []
    with PriceRecorder() as prices:
        for symbol in symbols:
            found = list(_stored(prices, symbol, timeframe=timeframe, source=source))
            if not found:
                raise RejectedRecordError("symbol", symbol, f"a symbol with stored bars of {timeframe}")
            if len(sources := {bar.source for bar in found}) > 1:
                raise RejectedRecordError(
                    "source", symbol, f"named, for there are bars of {', '.join(sorted(sources))}"
                )
            bars.extend(found)
    return series_of(bars)


def _stored(prices: PriceRecorder, symbol: str, *, timeframe: str, source: str | None) -> Iterator[Bar]:
    after = None
    while True:
        page = prices.bars(symbol, timeframe=timeframe, source=source, limit=PAGE_ROWS, after=after)
        if page.stale:
            raise FrirenError("the database does not answer, and the bars are in it: give files, or try again later")
        for row in page:
            yield Bar(
                symbol=symbol,
                timestamp=row.timestamp,
                timeframe=row.timeframe,
                open=row.open,
                high=row.high,
                low=row.low,
                close=row.close,
                volume=row.volume,
                adjusted_close=row.adjusted_close,
                source=row.source,
            )
        if page.next is None:
            return
        after = page.next
