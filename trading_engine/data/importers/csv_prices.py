"""Bars out of CSV files as people have them: any column order, any date format, faults named by line."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from friren.core.numbers import ZERO
from friren.errors import RejectedRecordError
from trading_engine.data.bars import DATED, Bar, canonical_timeframe
from trading_engine.data.importers.cells import NumberCells, is_empty, parse_rows
from trading_engine.data.importers.columns import PRICES, Columns, find_columns, names_of
from trading_engine.data.importers.lines import LINE_MAX, decoded, numbered_lines, split_cells
from trading_engine.data.importers.parsed import Issue, ParsedFile, ParsedRow, UnreadableFileError, issue_of
from trading_engine.data.importers.stamps import DateFormat, date_format_of, read_wall, to_utc, zone_of
from trading_engine.data.importers.survey import Survey

__all__ = ["read_csv", "stem_symbol"]

# Some venues put a line or two of their own before the header.
HEADER_LINES_MAX: Final = 10
_DELIMITERS: Final = ",;\t|"
# yfinance writes two more header lines: the ticker, then the name of the index.
_INNER_HEADERS: Final = frozenset({"ticker", "date", "datetime"})


@dataclass(frozen=True, slots=True)
class _Layout:
    path: Path
    header_line: int
    delimiter: str
    columns: Columns
    inner_headers: bool


@dataclass(frozen=True, slots=True)
class _Reading:
    symbol: str
    zone: dt.tzinfo | None
    form: DateFormat
    timeframe: str
    source: str


def stem_symbol(path: Path) -> str:
    """Return the ticker that a file name begins with: the part before the first `_` or `.`."""
    return re.split(r"[_.]", path.name, maxsplit=1)[0].strip()


def read_csv(
    path: Path,
    *,
    symbol: str | None = None,
    timezone: str | None = None,
    date_format: str | None = None,
    timeframe: str | None = None,
    source: str = "csv",
) -> ParsedFile:
    """
    Return the bars of a CSV file; the file is walked through once now and once per iteration.

    Args:
        symbol: ticker; otherwise the file's column of tickers, otherwise the start of its name.
        timezone: IANA name of the zone of naive stamps, and of the calendar dates of aware ones; UTC if None.
        date_format: DMY, MDY or a strptime pattern; needed only when the whole file leaves it open.
        timeframe: one of `TIMEFRAMES`; otherwise told from the spacing of the stamps.

    Raises:
        UnreadableFileError: no file of bars, or ambiguous; the message names the option that settles it.
        RejectedRecordError: an argument is wrong.
    """
    zone = zone_of(timezone) if timezone else None
    form = date_format_of(date_format) if date_format else None
    wanted = canonical_timeframe(timeframe) if timeframe else None
    layout = _find_layout(path, symbol or "")
    survey, tickers, lines = Survey(form), set[str](), 0
    for line, cells in _data_rows(layout):
        lines += 1
        if isinstance(cells, list):
            survey.add(line, layout.columns.stamp_of(cells))
            if layout.columns.ticker is not None and len(tickers) < 2:
                tickers.add(cells[layout.columns.ticker])
    if symbol and len(tickers) > 1:
        raise UnreadableFileError(
            path, f"rows of several tickers ({', '.join(sorted(tickers))}, …); leave out --symbol"
        )
    form, settled = survey.settle(path, timeframe=wanted)
    name = symbol or ("" if tickers - {""} else stem_symbol(path))
    if not name and not tickers:
        raise UnreadableFileError(path, "the file name begins with no ticker; give --symbol")
    reading = _Reading(name, zone, form, settled, source)
    return ParsedFile(path, name, settled, source, lines, rows=lambda: _parse(layout, reading))


def _open(path: Path) -> IO[str]:
    try:
        binary = path.open("rb")
    except OSError as exc:
        raise UnreadableFileError(path, f"the file cannot be opened ({exc.strerror})") from exc
    return decoded(binary, mark=binary.peek(2))


def _find_layout(path: Path, symbol: str) -> _Layout:
    failure: UnreadableFileError | None = None
    with _open(path) as stream:
        for number, line in numbered_lines(stream):
            if number > HEADER_LINES_MAX:
                break
            if not line or not line.strip():
                continue
            delimiter = max(_DELIMITERS, key=line.count)
            try:
                cells = split_cells(line, delimiter)
                columns = find_columns(path, cells, symbol)
            except UnreadableFileError as exc:
                # The first line is the header to complain about, unless a later one is one.
                failure = failure or exc
            except RejectedRecordError:
                continue
            else:
                return _Layout(path, number, delimiter, columns, names_of(cells)[0] == "price")
    raise failure or UnreadableFileError(path, "no OHLC columns: the file is empty or holds no text")


def _data_rows(layout: _Layout) -> Iterator[tuple[int, list[str] | Issue]]:
    """Yield (line, cells) below the header; an Issue instead of cells where the line is no row."""
    empty: list[int] = []
    width = layout.columns.width
    with _open(layout.path) as stream:
        for number, line in numbered_lines(stream):
            if number <= layout.header_line:
                continue
            if line is not None and not line.strip():
                empty.append(number)
                continue
            # Empty lines at the end of a file are how files end; before another line they are a fault.
            for gap in empty:
                yield gap, Issue(gap, "", "", "an empty line")
            empty.clear()
            if line is None:
                yield number, Issue(number, "", "", f"a line of at most {LINE_MAX} characters")
                continue
            try:
                cells = split_cells(line, layout.delimiter)
            except RejectedRecordError as exc:
                yield number, issue_of(number, exc)
                continue
            while len(cells) > width and not cells[-1]:
                cells.pop()
            if len(cells) != width:
                yield number, Issue(number, "", line, f"{width} columns as in the header, not {len(cells)}")
            elif not (layout.inner_headers and cells[0].casefold() in _INNER_HEADERS):
                yield number, cells


def _parse(layout: _Layout, reading: _Reading) -> Iterator[ParsedRow | Issue]:
    if layout.columns.volume is None:
        yield Issue(layout.header_line, "volume", "", "no such column: stored as 0", rejected=False)
    yield from parse_rows(_data_rows(layout), lambda cells, numbers: _bar_of(cells, numbers, layout.columns, reading))


def _bar_of(cells: list[str], numbers: NumberCells, columns: Columns, reading: _Reading) -> Bar:
    if not any(cells):
        raise RejectedRecordError("", "", "a row with values; every cell is empty")
    stamp = columns.stamp_of(cells)
    wall = read_wall(stamp, reading.form)
    open_, high, low, close = (
        numbers.read(field, cells[place]) for field, place in zip(PRICES, columns.prices, strict=True)
    )
    volume, adjusted = ZERO, None
    if columns.volume is not None and is_empty(cells[columns.volume]):
        numbers.note("volume", cells[columns.volume], "empty: stored as 0")
    elif columns.volume is not None:
        volume = numbers.read("volume", cells[columns.volume])
    if columns.adjusted_close is not None and not is_empty(cells[columns.adjusted_close]):
        adjusted = numbers.read("adjusted_close", cells[columns.adjusted_close])
    ticker = reading.symbol or cells[columns.ticker or 0]
    moment = to_utc(wall, stamp, zone=reading.zone, dated=reading.timeframe in DATED)
    return Bar(ticker, moment, reading.timeframe, open_, high, low, close, volume, adjusted, reading.source)
