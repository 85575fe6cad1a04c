"""Closes of several symbols side by side, a column each, as researchers keep them: read as bars of one price."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from friren.core.numbers import ZERO
from friren.errors import RejectedRecordError
from trading_engine.backtesting.series import BarSeries, series_of
from trading_engine.data.bars import DATED, Bar
from trading_engine.data.importers.cells import decimal_cell, is_empty
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.importers.stamps import DateFormat, date_format_of, read_wall, to_utc
from trading_engine.data.importers.survey import Survey

__all__ = ["series_of_close_tables"]

SOURCE = "closes"


def series_of_close_tables(
    paths: Sequence[Path], *, symbols: Sequence[str] = (), date_format: str | None = None
) -> BarSeries:
    """
    Return the closes of tables (CSV: a column of dates, then one per symbol; an empty cell is no bar).

    Nothing is known but closes, so open, high and low are the close, and an order that is decided on one is filled at
    the next.

    Args:
        symbols: those that are wanted; all when empty.
        date_format: DMY, MDY or a strptime pattern, where a file leaves it open.

    Raises:
        UnreadableFileError: a file is no such table, or its dates are ambiguous.
        RejectedRecordError: there is no close, or a symbol is in none of the tables.
    """
    form = date_format_of(date_format) if date_format else None
    issues: list[str] = []
    bars: list[Bar] = []
    for path in paths:
        bars.extend(_bars(path, frozenset(symbols), form, issues))
    loaded = series_of(bars)
    if missing := sorted(set(symbols) - set(loaded.series)):
        raise RejectedRecordError("symbols", missing, "columns of the tables")
    loaded.issues, loaded.rejected = issues, len(issues)
    return loaded


def _bars(path: Path, wanted: frozenset[str], form: DateFormat | None, issues: list[str]) -> Iterator[Bar]:
    header, rows = _table(path)
    survey = Survey(form)
    for line, cells in rows:
        survey.add(line, cells[0])
    settled, timeframe = survey.settle(path, timeframe=None)
    columns = [(place, name) for place, name in enumerate(header) if place and (not wanted or name in wanted)]
    for line, cells in rows:
        for place, name in columns:
            try:
                if is_empty(cells[place]):
                    continue
                close, _rounded = decimal_cell(name, cells[place])
                wall = read_wall(cells[0], settled)
                moment = to_utc(wall, cells[0], zone=None, dated=timeframe in DATED)
                yield Bar(name, moment, timeframe, close, close, close, close, ZERO, None, SOURCE)
            except RejectedRecordError as exc:
                issues.append(f"{path.name}: line {line}: {exc}")


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise UnreadableFileError(path, f"the table cannot be read ({exc})") from exc
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if len(rows) < 2 or len(rows[0][1]) < 2:
        raise UnreadableFileError(path, "a header of dates and symbols is wanted, and rows below it")
    (_line, header), *below = rows
    for line, cells in below:
        if len(cells) != len(header):
            raise UnreadableFileError(path, f"line {line} has {len(cells)} columns, the header {len(header)}")
    return header, below
