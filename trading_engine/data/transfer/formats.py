"""Rows of told values as JSON lines, CSV and Parquet, and back: written and read a piece at a time."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final

from friren.errors import ArchiveError
from friren.operations.archive.cold.parquet import read_rows, write_rows
from trading_engine.data.atomic_files import replacing
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.transfer.tables import Column
from trading_engine.data.transfer.values import told_of

__all__ = ["FORMATS", "read_table", "write_table"]

FORMATS: Final = ("json", "csv", "parquet")
SUFFIXES: Final = {"json": ".jsonl", "csv": ".csv", "parquet": ".parquet"}
# In a cell: no value. A text that begins with a backslash has one more.
NULL: Final = "\\N"
# A text that a model wrote may be longer than the csv module takes by itself.
CELL_MAX: Final = 1 << 27

Row = Mapping[str, Any]


def write_table(path: Path, form: str, columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """
    Write rows to a file, whole or not at all.

    Args:
        form: one of `FORMATS`.

    Raises:
        ConfigurationError: Parquet is asked for, and pyarrow is not installed.
        OSError: the disk refuses.
    """
    with replacing(path) as file:
        if form == "parquet":
            kinds = {column.name: column.kind for column in columns}
            fit = [(column.name, _for_parquet(column.kind)) for column in columns]
            write_rows(file, kinds, ([_or_none(make, row[name]) for name, make in fit] for row in rows))
            return
        text = codecs.getwriter("utf-8")(file)
        (_write_json if form == "json" else _write_csv)(text, columns, rows)  # type: ignore[arg-type]  # a writer of text


def read_table(path: Path, form: str, columns: Sequence[Column]) -> Iterator[tuple[int, Row]]:
    """
    Yield (line, row) of a file that `write_table` wrote.

    Raises:
        UnreadableFileError: it is none, or breaks off; what stands before it was read.
    """
    try:
        if form == "parquet":
            yield from enumerate(_read_parquet(path, columns), start=1)
        elif form == "json":
            with path.open(encoding="utf-8") as file:
                for line, text in enumerate(file, start=1):
                    yield line, _named(json.loads(text), columns)
        else:
            yield from _read_csv(path, columns)
    except (OSError, ValueError, KeyError, csv.Error, ArchiveError) as exc:
        raise UnreadableFileError(path, f"cannot be read as an export: {' '.join(str(exc).split())}") from exc


def _named(row: Row, columns: Sequence[Column]) -> Row:
    return {column.name: row[column.name] for column in columns}


def _write_json(file: IO[str], columns: Sequence[Column], rows: Iterable[Row]) -> None:
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
    for row in rows:
        file.write(encode(_named(row, columns)) + "\n")


def _write_csv(file: IO[str], columns: Sequence[Column], rows: Iterable[Row]) -> None:
    names, cells = [column.name for column in columns], [_cell(column.kind) for column in columns]
    # A row is one line of the format wherever it is read, so it ends as RFC 4180 has it.
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow(
            [NULL if row[name] is None else cell(row[name]) for name, cell in zip(names, cells, strict=True)]
        )


def _cell(kind: str) -> Callable[[Any], str]:
    if kind == "jsonb" or kind.endswith("[]"):
        return lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if kind == "boolean":
        return lambda value: "true" if value else "false"
    if kind == "double precision":
        return repr
    return lambda value: f"\\{value}" if str(value).startswith("\\") else str(value)


def _read_csv(path: Path, columns: Sequence[Column]) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(CELL_MAX)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        places = {name: place for place, name in enumerate(header)}
        wanted = [(column.name, places[column.name], _of_cell(column.kind)) for column in columns]
        for cells in reader:
            yield (
                reader.line_num,
                {name: None if cells[place] == NULL else read(cells[place]) for name, place, read in wanted},
            )


def _of_cell(kind: str) -> Callable[[str], Any]:
    if kind == "jsonb" or kind.endswith("[]"):
        return json.loads
    if kind == "boolean":
        return {"true": True, "false": False}.__getitem__
    if kind == "double precision":
        return float
    if kind in {"bigint", "integer", "smallint"}:
        return int
    return lambda text: text[1:] if text.startswith("\\\\") else text


def _for_parquet(kind: str) -> Callable[[Any], Any]:
    if kind.startswith("numeric"):
        return Decimal
    if kind == "timestamp with time zone":
        return dt.datetime.fromisoformat
    if kind == "date":
        return dt.date.fromisoformat
    if kind == "bytea":
        return bytes.fromhex
    if kind == "jsonb":
        return lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return lambda value: value


def _read_parquet(path: Path, columns: Sequence[Column]) -> Iterator[Row]:
    told = [(column.name, told_of(column.kind)) for column in columns]
    for values in read_rows(path, [column.name for column in columns]):
        yield {name: _or_none(tell, value) for (name, tell), value in zip(told, values, strict=True)}


def _or_none(make: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else make(value)
