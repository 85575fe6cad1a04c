"""Fills out of any table: CSV or JSON lines, columns by a mapping or by their names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from friren.errors import RejectedRecordError
from trading_engine.data.importers.mapping import NUMBERS, REQUIRED, Mapped, columns_of
from trading_engine.data.importers.ordinals import Ordinals
from trading_engine.data.importers.parsed import Issue, UnreadableFileError
from trading_engine.data.importers.records import Entry, Fields, ReadFiles, SourceFile, Told, entry_of
from trading_engine.data.importers.stamps import DateFormat, date_format_of, read_wall, to_utc, zone_of
from trading_engine.data.importers.survey import Survey
from trading_engine.data.importers.tables import Row, header_of, is_json_lines, rows_of

__all__ = ["VENUE", "fills_of_objects", "read_csv_trades"]

VENUE: Final = "csv"
_SIDES: Final = {
    "b": "buy", "buy": "buy", "bot": "buy", "bought": "buy",
    "s": "sell", "sell": "sell", "sld": "sell", "sold": "sell",
    "short": "short", "sell short": "short", "ss": "short",
    "cover": "cover", "buy to cover": "cover",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Reading:
    columns: dict[str, tuple[str, ...]]
    mapped: Mapped
    form: DateFormat
    zone: dt.tzinfo | None


def read_csv_trades(
    paths: Sequence[Path], *, mapped: Mapped | None = None, timezone: str | None = None, date_format: str | None = None
) -> ReadFiles:
    """
    Return the fills of tables, one per row.

    Args:
        mapped: which column is what; guessed by name unless given.
        timezone: of stamps without offset; the mapping's, else UTC.
        date_format: where the stamps leave it open; the mapping's, else told from the file.
    """
    mapped = mapped or Mapped()
    zone, dates = timezone or mapped.timezone, date_format or mapped.date_format
    read = ReadFiles()
    for path in paths:
        try:
            header, _delimiter = header_of(path)
            lines = is_json_lines(path)
            columns = _columns_of_line(path, header, mapped) if lines else columns_of(path, header, mapped)
            form = date_format_of(dates) if dates else _form_of(path, columns.get("timestamp", ()))
        except UnreadableFileError as exc:
            read.unreadable.append(exc)
            continue
        reading = _Reading(columns, mapped, form, zone_of(zone) if zone else None)
        read.files.append(SourceFile(path, partial(_entries, reading=reading), size=path.stat().st_size))
        unused = [name for name in header if name and not any(name in used for used in columns.values())]
        if unused and not lines:
            read.skipped.append((path, f"no field is made of the columns {', '.join(unused)}"))
    return read


def _form_of(path: Path, columns: tuple[str, ...]) -> DateFormat:
    """Return the order in which days are written; where the first stamp leaves it open, the whole file tells."""
    survey, rows = Survey(None), 0
    for row in rows_of(SourceFile(path, lambda _file: iter(()))):
        if isinstance(row, Issue):
            continue
        rows += 1
        stamp = str(_value(row, columns) or "")
        survey.add(row.line, stamp)
        if stamp[:4].isdigit():
            return DateFormat("YMD")
    return survey.settle(path, timeframe="1d")[0] if rows else DateFormat("YMD")


def _value(row: Row, columns: tuple[str, ...]) -> Any:
    if len(columns) == 1:
        return row.values.get(columns[0])
    return " ".join(str(row.values.get(column) or "") for column in columns).strip() or None


def fills_of_objects(rows: Iterable[Row | Issue], path: Path, mapped: Mapped) -> Iterator[Entry | Issue]:
    """
    Yield the fills of JSON objects, each told as a line of JSON tells one.

    Args:
        path: the document they stand in.
    """
    zone = zone_of(mapped.timezone) if mapped.timezone else None
    form = date_format_of(mapped.date_format) if mapped.date_format else DateFormat("YMD")
    yield from _told(rows, path, _Reading({}, mapped, form, zone), objects=True)


def _entries(file: SourceFile, *, reading: _Reading) -> Iterator[Entry | Issue]:
    yield from _told(rows_of(file), file.path, reading, objects=is_json_lines(file.path))


def _told(rows: Iterable[Row | Issue], path: Path, reading: _Reading, *, objects: bool) -> Iterator[Entry | Issue]:
    shapes: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}
    with Ordinals() as ordinals:
        for row in rows:
            if isinstance(row, Issue):
                yield row
                continue
            columns = reading.columns
            if objects:
                # A line leaves out what it has no value for, the first one too.
                shape = tuple(row.values)
                if shape not in shapes:
                    try:
                        shapes[shape] = _columns_of_line(path, shape, reading.mapped)
                    except UnreadableFileError as exc:
                        yield Issue(row.line, "", "", exc.rule)
                        continue
                columns = shapes[shape]
            values = {name: _value(row, places) for name, places in columns.items()}
            tell = partial(_tell, reading=reading, ordinals=ordinals)
            yield from entry_of(values, row.line, "", tell, floats=False)


def _columns_of_line(path: Path, names: Sequence[str], mapped: Mapped) -> dict[str, tuple[str, ...]]:
    """Return the columns of one line of JSON; what the mapping names is missing where the line leaves it out."""
    told = {field: columns for field, columns in mapped.columns.items() if set(columns) <= set(names)}
    guessed = replace(mapped, columns=told, defaults={**dict.fromkeys(mapped.columns, ""), **mapped.defaults})
    return columns_of(path, names, guessed)


def _tell(row: Fields, *, reading: _Reading, ordinals: Ordinals) -> list[Told]:
    values: Any = row.values
    for name, value in reading.mapped.defaults.items():
        if values.get(name) is None:
            values[name] = value
    for name, known in reading.mapped.values.items():
        said = values.get(name)
        if said is not None:
            values[name] = known.get(str(said).casefold(), said)
    for name in REQUIRED:
        if values.get(name) is None or values[name] == "":
            raise RejectedRecordError(name, None, "is required; the cell is empty")
    moment, symbol = _moment(values["timestamp"], reading), row.text("symbol")
    if not row.text("external_id"):
        # Without an id of its own: which one of its symbol and moment it is, whatever else stands in the row.
        key = f"{moment.isoformat()}:{symbol}"
        values["external_id"] = f"{key}:{ordinals.next(key)}"
    told: dict[str, Any] = {name: row.text(name) for name in values if name not in {*NUMBERS, "timestamp"}}
    told |= {name: row.number_or_none(name) for name in values if name in NUMBERS}
    told = {name: value for name, value in told.items() if value not in {None, ""}}
    told["timestamp"] = moment
    told |= _side(told)
    if told.get("commission") is not None and reading.mapped.negative_commission:
        told["commission"] = -told["commission"]
    told.setdefault("venue", VENUE)
    return [Told("trade", told)]


def _moment(value: Any, reading: _Reading) -> dt.datetime:
    text = str(value).strip()
    return to_utc(read_wall(text, reading.form), text, zone=reading.zone, dated=False)


def _side(told: dict[str, Any]) -> dict[str, Any]:
    """Return action and quantity: by a column, or by the sign of the quantity where there is none."""
    quantity: Decimal = told["quantity"]
    said = told.get("action")
    if said is None:
        return {"action": "buy" if quantity > 0 else "sell", "quantity": abs(quantity)}
    action = _SIDES.get(str(said).casefold(), str(said))
    if quantity < 0 and action in {"buy", "cover"}:
        raise RejectedRecordError("quantity", quantity, f"more than 0, as the action is {action}")
    return {"action": action, "quantity": abs(quantity)}
