"""Bring stored bars up to date: fetch what came after the last one, and record it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from friren.errors import RejectedRecordError
from trading_engine.data.bars import canonical_timeframe, end_of_bar
from trading_engine.data.stock_data_fetcher import SOURCE, StockDataFetcher
from trading_engine.services.price_recorder import PriceRecorder

__all__ = ["PriceUpdate", "update_prices"]


@dataclass(frozen=True, slots=True)
class PriceUpdate:
    """
    What became of one symbol.

    Attributes:
        since: the first moment that was asked for, None for all there is.
        inserted, duplicates, conflicts, revised, suspect, journaled: bars, see `PriceReceipt`.
        unfinished: bars left out because they are not over yet.
        rejected: (position in the answer, why it is no bar).
    """

    symbol: str
    timeframe: str
    since: dt.datetime | None
    inserted: int
    duplicates: int
    conflicts: int
    revised: int
    suspect: int
    journaled: int
    unfinished: int
    rejected: list[tuple[int, RejectedRecordError]] = field(default_factory=list)


def update_prices(
    symbol: str,
    *,
    interval: str = "1d",
    start: dt.datetime | None = None,
    revise: bool = False,
    now: dt.datetime,
    fetcher: StockDataFetcher,
    recorder: PriceRecorder,
) -> PriceUpdate:
    """
    Fetch the finished bars of a symbol after the last stored one, and store them.

    Args:
        interval: one of `INTERVALS` of the fetcher.
        start: fetch from here instead, for instance to revise; aware.
        revise: let bars that differ replace what is stored.
        now: aware; nothing after it is asked for.

    Raises:
        FetchError: see `StockDataFetcher.fetch`; nothing was stored.
        RejectedRecordError: an argument is wrong.
    """
    timeframe = canonical_timeframe(interval)
    since = start
    if since is None:
        stored = recorder.latest(symbol, timeframe=timeframe, source=SOURCE)
        since = end_of_bar(stored[0].timestamp, timeframe) if stored else None
    fetched = fetcher.fetch(symbol, interval=timeframe, start=since, now=now)
    receipt = recorder.record_bars(fetched.bars, revise=revise, reason="fetched again")
    return PriceUpdate(
        symbol=symbol,
        timeframe=timeframe,
        since=since,
        inserted=receipt.stored,
        duplicates=receipt.duplicates,
        conflicts=receipt.conflicts,
        revised=receipt.revised,
        suspect=receipt.suspect,
        journaled=receipt.journaled,
        unfinished=fetched.unfinished,
        rejected=fetched.rejected,
    )
