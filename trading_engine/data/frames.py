"""Bars out of pandas DataFrames, such as yfinance, arch and backtesting libraries hand around."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from friren.core.numbers import ZERO
from friren.errors import RejectedRecordError
from trading_engine.data.bars import DATED, Bar, canonical_timeframe, measured
from trading_engine.data.importers.columns import PRICES, find_columns
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.importers.stamps import DateFormat, Wall, read_wall, to_utc
from trading_engine.data.importers.survey import Spacing

__all__ = ["bars_of_frame", "is_frame", "number_of", "wall_of"]

_WHERE = "DataFrame"


def is_frame(value: object) -> bool:
    """Return whether `value` is a pandas DataFrame, without importing pandas."""
    return type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "columns")


def bars_of_frame(
    frame: Any, *, symbol: str, timeframe: str | None = None, source: str
) -> Iterator[tuple[int, Bar | RejectedRecordError]]:
    """
    Yield (position, bar or the reason why it is none) for each row of a DataFrame.

    Columns are found by name in any case and order, prefixed by a ticker or not; stamps in the index or in a
    column of dates; naive ones are UTC. Floats become decimals of 15 significant digits.

    Raises:
        UnreadableFileError: no columns open, high, low, close, no dates, or no timeframe to be told.
    """
    names = [_column_name(column) for column in frame.columns]
    columns = [frame.iloc[:, place].tolist() for place in range(len(names))]
    if not str(frame.index.dtype).startswith("int"):
        names, columns = ["date", *names], [frame.index.tolist(), *columns]
    found = find_columns(_WHERE, names, symbol)
    stamps = columns[found.stamp[0]]
    settled = canonical_timeframe(timeframe) if timeframe else _spacing(stamps)
    prices = [columns[place] for place in found.prices]
    volumes = columns[found.volume] if found.volume is not None else None
    adjusted = columns[found.adjusted_close] if found.adjusted_close is not None else None
    for position, stamp in enumerate(stamps):
        try:
            moment = to_utc(wall_of(stamp), str(stamp), zone=None, dated=settled in DATED)
            open_, high, low, close = (
                number_of(field, column[position]) for field, column in zip(PRICES, prices, strict=True)
            )
            volume = number_of("volume", volumes[position]) if volumes is not None else ZERO
            after = None if adjusted is None or _is_missing(adjusted[position]) else adjusted[position]
            other = None if after is None else number_of("adjusted_close", after)
            yield position, Bar(symbol, moment, settled, open_, high, low, close, volume, other, source)
        except RejectedRecordError as exc:
            yield position, exc


def wall_of(stamp: Any) -> Wall:
    """
    Return the stamp of a row: a pandas.Timestamp, datetime, date, or text with the year first.

    Raises:
        RejectedRecordError: none of them, or finer than a microsecond.
    """
    if isinstance(stamp, str):
        return read_wall(stamp, DateFormat("YMD"))
    if _is_missing(stamp) or not isinstance(stamp, dt.date):
        raise RejectedRecordError("timestamp", stamp, "a datetime or date")
    if not isinstance(stamp, dt.datetime):
        return Wall(dt.datetime.combine(stamp, dt.time()), None)
    if hasattr(stamp, "to_pydatetime"):
        if getattr(stamp, "nanosecond", 0):
            raise RejectedRecordError("timestamp", stamp, "at most microseconds")
        stamp = stamp.to_pydatetime()
    return Wall(stamp.replace(tzinfo=None), _offset(stamp))


def number_of(field: str, value: Any) -> Decimal:
    """
    Return a figure of a table as a decimal: floats measured, ints and Decimals as they are.

    Raises:
        RejectedRecordError: anything else.
    """
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float):  # numpy.float64 is one
        return measured(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        return number_of(field, value.item())
    raise RejectedRecordError(field, value, "a number (float, int or Decimal)")


def _offset(stamp: dt.datetime) -> dt.tzinfo | None:
    offset = stamp.utcoffset()
    return None if offset is None else dt.timezone(offset)


def _is_missing(value: Any) -> bool:
    # NaN and NaT differ from themselves; comparing pandas.NA is neither true nor false.
    return value is None or type(value).__name__ == "NAType" or bool(value != value)  # noqa: PLR0124


def _column_name(column: Any) -> str:
    """Return one name for a column; of yfinance's (price, ticker) pairs the ticker comes first."""
    if not isinstance(column, tuple):
        return str(column)
    parts = [str(part) for part in column if str(part)]
    if parts and parts[0].casefold() in {*PRICES, "volume", "adj close", "date", "datetime"}:
        parts.reverse()
    return " ".join(parts)


def _spacing(stamps: list[Any]) -> str:
    spacing = Spacing()
    for stamp in stamps:
        try:
            spacing.add(wall_of(stamp).naive)
        except RejectedRecordError:
            continue
    settled = spacing.timeframe()
    if settled is None and stamps:
        raise UnreadableFileError(_WHERE, "the timeframe cannot be told from the time stamps; give timeframe")
    return settled or DATED[0]
