"""The records of Prescient's tree: read with their rules, and written exactly."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from friren.core.numbers import CONTEXT
from friren.errors import RejectedRecordError
from friren.persistence import checks
from trading_engine.data.importers.json_stream import parse_json
from trading_engine.data.importers.parsed import Issue
from trading_engine.data.importers.records import Fields
from trading_engine.data.prescient.tables import Column, Kind, Table

__all__ = ["Place", "json_bytes", "record_of"]

# As its column has it: DECIMAL(5,4).
RATIO_PLACES: Final = Decimal("0.0001")


class Place(NamedTuple):
    """Where a record stands: line of the file, place in the document, and what had to be changed of it."""

    line: int
    path: str
    notes: tuple[Issue, ...] = ()


def record_of(table: Table, told: Mapping[str, Any], *, line: int = 0, path: str = "") -> tuple[dict[str, Any], Place]:
    """
    Return the record that `told` is, with every column of its table in their order, and its place.

    Numbers that Prescient wrote of a binary float become the number of 15 digits that was meant, when they are longer
    than a column; naive times are UTC.

    Args:
        told: under the names of the source or of the API behind it; values as JSON has them, or as they are returned.

    Raises:
        RejectedRecordError: a column is missing or breaks a rule; it is named as the source does.
    """
    if not isinstance(told, Mapping):
        raise RejectedRecordError("", str(told)[:120], "an object with named values is wanted")
    given = _unfolded(table, told)
    fields = Fields(given, line, path, floats=True)
    record = {column.name: _value(column, fields) for column in table.columns}
    if table.whole:
        # What the source wrote of it is kept, unless it is what is told already.
        record[table.whole] = _payload(table.whole, record[table.whole] or dict(told))
    if "signals_data" in record:
        signals = record["signals_data"]
        if not isinstance(signals, list):
            raise RejectedRecordError("signals", signals, "a list of signals is wanted")
        record["signals_count"] = len(signals)
        record["archive_month"] = record["archive_month"] or record["archived_at"].strftime("%Y-%m")
    return record, Place(line, path, tuple(fields.notes))


def _unfolded(table: Table, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told under the names of the columns."""
    # Only a caller has floats: a file is read without them.
    given = {name: Decimal(repr(value)) if isinstance(value, float) else value for name, value in told.items()}
    for column in table.columns:
        for alias in column.aliases:
            if given.get(column.name) is None and alias in given:
                given[column.name] = given[alias]
    if table.name == "markets":
        _unfold_market(given)
    return given


def _unfold_market(given: dict[str, Any]) -> None:
    """Take the prices of a market, and its event, from where the API has them."""
    prices = given.get("outcomePrices")
    if isinstance(prices, str):
        try:
            prices = parse_json(prices)
        except ValueError:
            prices = None
    if isinstance(prices, list) and len(prices) == len(("yes", "no")):
        for name, price in zip(("yes_price", "no_price"), prices, strict=True):
            given[name] = price if given.get(name) is None else given[name]
    events = given.get("events")
    if isinstance(events, list) and events and isinstance(events[0], Mapping):
        for name, source in (("event_id", "id"), ("event_title", "title"), ("event_end_date", "endDate")):
            given[name] = events[0].get(source) if given.get(name) is None else given[name]


def _value(column: Column, fields: Fields) -> Any:
    name, given = column.name, fields.values.get(column.name)
    if given is None or given == "":
        if column.required:
            raise RejectedRecordError(name, given, "is required")
        return False if column.kind is Kind.FLAG else None
    return _READERS[column.kind](name, fields)


def _ratio(name: str, fields: Fields) -> Decimal:
    number = fields.number(name)
    if not 0 <= number <= 1:
        raise RejectedRecordError(name, number, "must be between 0 and 1")
    return number.quantize(RATIO_PLACES)


def _whole(name: str, fields: Fields) -> int:
    number = fields.number(name)
    if number != number.to_integral_value():
        raise RejectedRecordError(name, number, "a whole number is wanted")
    return int(number)


def _moment(name: str, fields: Fields) -> dt.datetime:
    given = fields.values[name]
    return checks.check_time(name, given) if isinstance(given, dt.datetime) else fields.moment(name)


def _day(name: str, fields: Fields) -> dt.date:
    given = fields.values[name]
    if isinstance(given, dt.date) and not isinstance(given, dt.datetime):
        return given
    try:
        return dt.date.fromisoformat(given)
    except (TypeError, ValueError) as exc:
        raise RejectedRecordError(name, given, "a day such as 2025-10-20 is wanted") from exc


def _flag(name: str, fields: Fields) -> bool:
    return checks.check_boolean(name, fields.values[name])


def _data(name: str, fields: Fields) -> Any:
    given = fields.values[name]
    if isinstance(given, str):
        # A column of JSON that somebody wrote as text.
        try:
            given = parse_json(given)
        except ValueError as exc:
            raise RejectedRecordError(name, given, "an object or a list of JSON is wanted") from exc
    if not isinstance(given, Mapping | list):
        raise RejectedRecordError(name, given, "an object or a list of JSON is wanted")
    return _payload(name, given)


def _payload(name: str, given: Any) -> Any:
    return checks.check_json(name, _as_floats(given))


def _as_floats(value: Any) -> Any:
    """Return a payload with the numbers that its writer had, which were floats; what no float is stays as text."""
    if isinstance(value, Decimal):
        number = float(value)
        return number if Decimal(repr(number)) == value else value
    if isinstance(value, Mapping):
        return {name: _as_floats(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_as_floats(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date) else value


_READERS: Final = {
    Kind.TEXT: lambda name, fields: fields.text(name),
    Kind.NUMBER: lambda name, fields: fields.number(name),
    Kind.RATIO: _ratio,
    Kind.COUNT: _whole,
    Kind.TIME: _moment,
    Kind.DATE: _day,
    Kind.FLAG: _flag,
    Kind.DATA: _data,
}


def json_bytes(table: Table, record: Mapping[str, Any]) -> bytes:
    """
    Return a record as Prescient's files have it: its columns in order, numbers as plain decimals of all their digits.

    A table that keeps the whole of what its source wrote gives that back, when there is any.
    """
    if table.whole and record.get(table.whole):
        return _encoder.encode(record[table.whole])
    return _encoder.encode({name: _written(record.get(name)) for name in table.names if name != table.whole})


def _written(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value.to_integral_value() if value == value.to_integral_value() else CONTEXT.normalize(value)
    return value.isoformat() if isinstance(value, dt.date) else value


_encoder: Final = msgspec.json.Encoder(decimal_format="number")
