"""One door to every kind of price file."""

from __future__ import annotations

from pathlib import Path

from trading_engine.data.importers.csv_prices import read_csv
from trading_engine.data.importers.lean_prices import LeanMarket, read_lean
from trading_engine.data.importers.parsed import ParsedFile

__all__ = ["read_prices"]


def read_prices(
    path: Path | str,
    *,
    symbol: str | None = None,
    timezone: str | None = None,
    date_format: str | None = None,
    timeframe: str | None = None,
    source: str | None = None,
    market: LeanMarket | None = None,
) -> ParsedFile:
    """
    Return the bars of a CSV file, or of a LEAN zip if the name ends in `.zip`.

    The arguments are those of `read_csv` and `read_lean`; source is "csv" or "lean" if None.

    Raises:
        UnreadableFileError: the file cannot be read as bars.
        RejectedRecordError: an argument is wrong.
    """
    path = Path(path)
    if path.suffix.casefold() == ".zip":
        return read_lean(
            path, symbol=symbol, timezone=timezone, timeframe=timeframe, source=source or "lean", market=market
        )
    return read_csv(
        path,
        symbol=symbol,
        timezone=timezone,
        date_format=date_format,
        timeframe=timeframe,
        source=source or "csv",
    )
