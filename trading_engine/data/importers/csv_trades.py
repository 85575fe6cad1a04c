"""Fills out of any table: CSV or JSON lines, columns by a mapping or by their names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from trading_engine.data.importers.tables import header_of, rows_of

__all__ = ["read_csv_trades"]

VENUE: Final = "csv"
_SIDES: Final = {
    "b": "buy", "buy": "buy", "bot": "buy", "bought": "buy",
    "s": "sell", "sell": "sell", "sld": "sell", "sold": "sell",
    "short": "short", "sell short": "short", "ss": "short",
    "cover": "cover", "buy to cover": "cover",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Reading:
    columns: dict[str, str]
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
            columns = columns_of(path, header_of(path)[0], mapped)
            form = date_format_of(dates) if dates else _form_of(path, columns)
        except UnreadableFileError as exc:
            read.unreadable.append(exc)
            continue
        reading = _Reading(columns, mapped, form, zone_of(zone) if zone else None)
        read.files.append(SourceFile(path, partial(_entries, reading=reading), size=path.stat().st_size))
    return read


def _form_of(path: Path, columns: dict[str, str]) -> DateFormat:
    """Return the order in which days are written; where the first stamp leaves it open, the whole file tells."""
    survey = Survey(None)
    for row in rows_of(SourceFile(path, lambda _file: iter(()))):
        if isinstance(row, Issue):
            continue
        stamp = str(row.values.get(columns.get("timestamp", "")) or "")
        survey.add(row.line, stamp)
        if stamp[:4].isdigit():
            return DateFormat("YMD")
    return survey.settle(path, timeframe="1d")[0]


def _entries(file: SourceFile, *, reading: _Reading) -> Iterator[Entry | Issue]:
    with Ordinals() as ordinals:
        for row in rows_of(file):
            if isinstance(row, Issue):
                yield row
                continue
            values = {name: row.values.get(column) for name, column in reading.columns.items()}
            tell = partial(_tell, reading=reading, ordinals=ordinals)
            yield from entry_of(values, row.line, "", tell, floats=False)


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
    told: dict[str, Any] = {name: row.text(name) for name in values if name not in {*NUMBERS, "timestamp"}}
    told |= {name: row.number_or_none(name) for name in values if name in NUMBERS}
    told = {name: value for name, value in told.items() if value not in {None, ""}}
    told["timestamp"] = _moment(values["timestamp"], reading)
    told |= _side(told)
    if told.get("commission") is not None and reading.mapped.negative_commission:
        told["commission"] = -told["commission"]
    told.setdefault("venue", VENUE)
    if "external_id" not in told:
        # Without an id of its own: which one of its symbol and moment it is, whatever stands in the row.
        key = f"{told['timestamp'].isoformat()}:{told['symbol']}"
        told["external_id"] = f"{key}:{ordinals.next(key)}"
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
