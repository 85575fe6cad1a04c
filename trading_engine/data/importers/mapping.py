"""Which column of a table is what: told by a mapping, or guessed from the header where it leaves no doubt."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from friren.errors import RejectedRecordError
from trading_engine.data.importers.columns import names_of
from trading_engine.data.importers.json_stream import parse_json
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.importers.stamps import date_format_of, zone_of

__all__ = ["FIELDS", "NUMBERS", "REQUIRED", "Mapped", "columns_of", "read_mapping"]

REQUIRED: Final = ("timestamp", "symbol", "quantity", "price")
# What a fill may be told with, in a table: text, numbers and times.
_TEXTS: Final = (
    "symbol", "action", "venue", "external_id", "liquidity", "exit_reason", "strategy_used", "model_id",
    "regime_at_entry", "reasoning", "commission_currency", "round_trip", "instrument_type",
)  # fmt: skip
NUMBERS: Final = (
    "quantity", "price", "commission", "expected_price", "stop_loss_price", "target_price", "leverage",
    "source_pnl", "sentiment_score", "confidence_score",
)  # fmt: skip
FIELDS: Final = frozenset({*_TEXTS, *NUMBERS, "timestamp"})
# As brokers, exchanges and people call them; compared in one spelling (see `names_of`).
_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "timestamp": (
        "timestamp", "executed at", "execution time", "time", "date", "datetime", "date/time", "date(utc)",
        "trade date", "filled at", "fill time",
    ),
    "symbol": ("symbol", "ticker", "instrument", "pair", "market"),
    "action": ("action", "side", "buy/sell", "direction"),
    "quantity": ("quantity", "qty", "shares", "amount", "size", "units", "executed", "filled"),
    "price": ("price", "fill price", "execution price", "exec price", "avg price", "average price", "t. price"),
    "commission": ("commission", "fee", "fees", "comm/fee", "commissions"),
    "commission_currency": ("commission currency", "fee currency", "fee coin"),
    "external_id": (
        "external id", "trade id", "tradeid", "exec id", "execution id", "execid", "fill id", "transaction id", "id",
    ),
    "venue": ("venue", "exchange"),
    "strategy_used": ("strategy used", "strategy"),
    "model_id": ("model id", "model"),
    "source_pnl": ("source pnl", "realized pnl", "realised pnl", "realized p/l"),
    "confidence_score": ("confidence score", "confidence"),
    "sentiment_score": ("sentiment score", "sentiment"),
    "regime_at_entry": ("regime at entry", "regime"),
    "leverage": ("leverage",),
    "liquidity": ("liquidity",),
    "exit_reason": ("exit reason",),
    "expected_price": ("expected price",),
    "stop_loss_price": ("stop loss price", "stop loss"),
    "target_price": ("target price",),
    "round_trip": ("round trip",),
    "reasoning": ("reasoning",),
}  # fmt: skip
_SECTIONS: Final = ("columns", "values", "defaults", "format")
_FORMATS: Final = ("timezone", "date_format", "negative_commission")


@dataclass(frozen=True, slots=True)
class Mapped:
    """
    What a mapping says.

    Attributes:
        columns: names of the column by field, of two that are read as one for a time; other fields are guessed.
        values: what the file writes, and what it stands for, by field.
        defaults: of fields without a column, or where a cell is empty.
        timezone, date_format: as for prices; "" where nothing is said.
        negative_commission: a cost is written as a negative number.
    """

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    timezone: str = ""
    date_format: str = ""
    negative_commission: bool = False


def read_mapping(path: Path) -> Mapped:
    """
    Return the mapping in a TOML or JSON file.

    Raises:
        UnreadableFileError: it is none; the message names what is wrong.
    """
    try:
        text = path.read_text("utf-8-sig")
        told = parse_json(text) if path.suffix.casefold() == ".json" else tomllib.loads(text)
    except OSError as exc:
        raise UnreadableFileError(path, f"the file cannot be opened ({exc.strerror})") from exc
    except ValueError as exc:
        raise UnreadableFileError(path, f"no mapping in TOML or JSON ({exc})") from exc
    _refuse_unknown(path, "section", told if isinstance(told, dict) else {"": None}, _SECTIONS)
    sections: dict[str, dict[str, Any]] = {name: told.get(name, {}) for name in _SECTIONS}
    if not all(isinstance(section, dict) for section in sections.values()):
        raise UnreadableFileError(path, f"the sections {', '.join(_SECTIONS)} hold names and values")
    for name in ("columns", "values", "defaults"):
        _refuse_unknown(path, f"field in {name}", sections[name], FIELDS)
    form = sections["format"]
    _refuse_unknown(path, "setting in format", form, _FORMATS)
    try:
        if zone := form.get("timezone"):
            zone_of(str(zone))
        if dates := form.get("date_format"):
            date_format_of(str(dates))
    except RejectedRecordError as exc:
        raise UnreadableFileError(path, str(exc)) from exc
    if not all(isinstance(table, dict) for table in sections["values"].values()):
        raise UnreadableFileError(path, 'values are told by field, e.g. [values.action] with B = "buy"')
    return Mapped(
        columns={name: _columns(path, name, told) for name, told in sections["columns"].items()},
        values={
            name: {str(written).casefold(): str(meant) for written, meant in table.items()}
            for name, table in sections["values"].items()
        },
        defaults={name: str(value) for name, value in sections["defaults"].items()},
        timezone=str(form.get("timezone", "")),
        date_format=str(form.get("date_format", "")),
        negative_commission=form.get("negative_commission") is True,
    )


def _columns(path: Path, name: str, told: Any) -> tuple[str, ...]:
    if not isinstance(told, list):
        return (str(told),)
    if name != "timestamp" or not told:
        raise UnreadableFileError(path, f"{name} is one column; only a timestamp may be a list: of day and time")
    return tuple(map(str, told))


def columns_of(path: Path, header: Sequence[str], mapped: Mapped) -> dict[str, tuple[str, ...]]:
    """
    Return the names of the columns of each field.

    Raises:
        UnreadableFileError: a column is missing, or two could be the same field; the message names them.
    """
    for name, columns in mapped.columns.items():
        for column in columns:
            if column not in header:
                raise UnreadableFileError(path, f"no column {column!r} for {name}; there are {', '.join(header)}")
    found = dict(mapped.columns)
    taken = {column for columns in found.values() for column in columns}
    spelled = {column: name for column, name in zip(header, names_of(list(header)), strict=True) if column not in taken}
    for name, aliases in _ALIASES.items():
        if name in found or name in mapped.defaults:
            continue
        could = [column for column, spelling in spelled.items() if spelling in aliases]
        if sorted(spelled[column] for column in could) == ["date", "time"]:
            found[name] = tuple(sorted(could, key=spelled.__getitem__))
        elif len(could) > 1:
            listed = " and ".join(repr(column) for column in could)
            raise UnreadableFileError(path, f"{listed} could both be {name}; say which in a --mapping under [columns]")
        elif could:
            found[name] = (could[0],)
    missing = [name for name in REQUIRED if name not in found and name not in mapped.defaults]
    if missing:
        listed = ", ".join(header)
        raise UnreadableFileError(
            path, f"no column for {', '.join(missing)} among {listed}; name them in a --mapping under [columns]"
        )
    return found


def _refuse_unknown(path: Path, what: str, told: Mapping[str, Any], known: Sequence[str] | frozenset[str]) -> None:
    unknown = sorted(set(told) - set(known))
    if unknown:
        raise UnreadableFileError(path, f"there is no {what} {unknown[0]!r}: {', '.join(sorted(known))}")
