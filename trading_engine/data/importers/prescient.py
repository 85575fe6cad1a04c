"""The JSON tree of Prescient OS, whole or some files of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from friren.core.choices import Environment, PositionMode
from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from trading_engine.data.importers.parsed import Issue, UnreadableFileError, issue_of
from trading_engine.data.importers.records import Book, Entry, ReadFiles, SourceFile
from trading_engine.data.prescient import TABLES, Table, read_records, table_named
from trading_engine.data.prescient.tables import Mode
from trading_engine.data.prescient.telling import CLOSED, current_rows, told_of

__all__ = ["files_below", "read_prescient"]

# Facts before what refers to them: the end of a position follows its trade, the execution of a signal as well.
_ORDER: Final = (
    "trades", "portfolio", "positions", "portfolio_history", "signals", "signal_archives",
    "raw_events", "events", "markets",
)  # fmt: skip
_CENT: Final = Decimal("0.01")


def files_below(root: Path) -> list[Path]:
    """Return the files of a tree, given as its root (`data/`) or as the folder that holds it."""
    for folder in (root, root / "data"):
        found = sorted({path for table in TABLES for path in folder.glob(table.path)})
        if found:
            return found
    return sorted(path for path in root.iterdir() if path.suffix == ".json" and _tables_of(path))


def read_prescient(paths: Sequence[Path]) -> ReadFiles:
    """Return what the files of a tree hold, in the order in which it is stored; other files are named."""
    read = ReadFiles()
    places: dict[str, list[Path]] = {}
    for path in paths:
        tables = _tables_of(path)
        if not tables:
            read.unreadable.append(UnreadableFileError(path, "no file of Prescient's tree has this name"))
        for table in tables:
            places.setdefault(table.name, []).append(path)
    for name in _ORDER:
        for path in sorted(places.get(name, [])):
            filtered = places.get("events", []) if name == "raw_events" else []
            entries = partial(_entries, table_named(name), filtered)
            read.files.append(SourceFile(path, entries, size=path.stat().st_size))
    read.book = Book("prescient", Environment.PAPER, "USD", PositionMode.HEDGING, starting_cash=_starting_cash(places))
    return read


def _tables_of(path: Path) -> list[Table]:
    return [table for table in TABLES if path.match(Path(table.path).name)]


def _entries(table: Table, filtered: Sequence[Path], file: SourceFile) -> Iterator[Entry | Issue]:
    written = dt.datetime.fromtimestamp(file.path.stat().st_mtime, dt.UTC)
    batch = None
    if table.mode is Mode.OVERWRITE and not table.is_document and not table.within:
        # What stands in the file is what is current; signals were given together, whatever their clocks say.
        keys = _keys(table, [file.path])
        if table.name == "signals":
            batch = max(keys, default=None)
            keys = [] if batch is None else [batch]
        yield Entry(1, "", [current_rows(table, keys, written)])
    among = set(_keys(table_named("events"), filtered))
    for found in read_records(file.path, table, file):
        if isinstance(found, Issue):
            yield found
            continue
        place, record = found
        # What was filtered out of these is told by the file that it was written to.
        of = table_named("events") if record.get("event_id") in among and table.name == "raw_events" else table
        try:
            told = told_of(of, record, batch=batch, at=written)
        except RejectedRecordError as exc:
            yield issue_of(place.line, exc, path=place.path)
        else:
            yield from place.notes
            if told or table.name != "positions":
                yield Entry(place.line, place.path, told)


def _keys(table: Table, paths: Sequence[Path]) -> list[Any]:
    """Return what names the sound records of files, first things first."""
    found = (each for path in paths for each in read_records(path, table))
    return [each[1][table.key[0]] for each in found if not isinstance(each, Issue)]


def _starting_cash(places: dict[str, list[Path]]) -> Decimal | None:
    """
    Return what the account began with: what is left, what its open trades cost, less what closed ones won.

    To the cent, as Prescient keeps money; None where files are missing or cannot be read.
    """
    try:
        (portfolio,), (trades,) = places["portfolio"], places["trades"]
        found = next(read_records(portfolio, table_named("portfolio")))
        if isinstance(found, Issue):
            return None
        total: Decimal = found[1]["balance"]
        ended: dict[str, Decimal] = {}
        for each in read_records(portfolio, table_named("positions")):
            if not isinstance(each, Issue) and each[1]["status"].casefold() == CLOSED:
                ended[each[1]["trade_id"]] = each[1]["realized_pnl"] or ZERO
        for each in read_records(trades, table_named("trades")):
            if not isinstance(each, Issue):
                record = each[1]
                won = ended.get(record["trade_id"])
                total = CONTEXT.add(total, record["amount"] if won is None else -won)
    except (KeyError, ValueError, StopIteration, UnreadableFileError):
        return None
    cash = CONTEXT.quantize(total, _CENT)
    return cash if cash > 0 else None
