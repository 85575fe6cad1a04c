"""
Blueprint's settings as CSV: strategies.csv and risk_config.csv, with the columns of its tables.

Cells with lists or objects hold JSON. The settings that Blueprint itself never moved out of CSV (accounts,
api_integrations, appearance, rss_feeds) are about its own program, and stay where they are; keys of other services are
not even read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from friren.errors import RejectedRecordError
from trading_engine.data.importers.cells import is_empty
from trading_engine.data.importers.columns import names_of
from trading_engine.data.importers.json_stream import parse_json
from trading_engine.data.importers.parsed import Issue, UnreadableFileError, issue_of
from trading_engine.data.importers.records import Fields, SourceFile
from trading_engine.data.importers.tables import header_of, rows_of

__all__ = ["RISK_CONFIG", "STRATEGIES", "Setting", "columns_of_settings", "files_of_blueprint", "settings_of"]

STRATEGIES: Final = "strategies"
RISK_CONFIG: Final = "risk_config"
STAY: Final = ("accounts", "api_integrations", "appearance", "rss_feeds")
_YES: Final = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}
# Blueprint leaves open whether a confidence is a share or a percentage; a share is never more than 1.
_PERCENT: Final = "a percentage: stored as a share of 1"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: its line, its values by column (those that are given), and what had to be changed."""

    line: int
    values: Mapping[str, Any]
    notes: list[Issue]


def files_of_blueprint(path: Path) -> tuple[list[tuple[str, Path]], list[tuple[Path, str]]]:
    """
    Return (which settings, file) of the files that are imported, and (file, why not) of the others.

    Args:
        path: a folder of settings, or one file of them.

    Raises:
        UnreadableFileError: there is no such file, or nothing of Blueprint's in the folder.
    """
    if not path.exists():
        raise UnreadableFileError(path, "there is no such file")
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    known = {STRATEGIES, RISK_CONFIG}
    if not any(file.stem.casefold() in known for file in files):
        raise UnreadableFileError(path, f"no settings of Blueprint: {STRATEGIES}.csv or {RISK_CONFIG}.csv is wanted")
    named = [(file.stem.casefold(), file) for file in files]
    others = [
        (file, "a setting of Blueprint's own program" if name in STAY else "no settings that Friren keeps")
        for name, file in named
        if name not in known
    ]
    return (
        [(name, file) for name, file in named if name in known],
        [(file, f"{why}: not imported") for file, why in others],
    )


def columns_of_settings(kind: str) -> tuple[str, ...]:
    """Return the columns of a file of settings, in the order of Blueprint's tables."""
    return tuple(_COLUMNS[kind])


def settings_of(kind: str, file: SourceFile) -> Iterator[Setting | Issue]:
    """
    Yield the rows of a file, and an Issue for each that is none.

    Raises:
        UnreadableFileError: it has not the columns that it needs.
    """
    readers = _COLUMNS[kind]
    header, _delimiter = header_of(file.path)
    names = {column: spelled.replace(" ", "_") for column, spelled in zip(header, names_of(header), strict=True)}
    missing = [name for name in _REQUIRED[kind] if name not in names.values()]
    if missing:
        raise UnreadableFileError(file.path, f"no column {missing[0]} among {', '.join(header)}")
    for row in rows_of(file):
        if isinstance(row, Issue):
            yield row
            continue
        fields = Fields({names[column]: value for column, value in row.values.items()}, row.line)
        try:
            values = _values(fields, readers, _REQUIRED[kind])
        except RejectedRecordError as exc:
            yield issue_of(row.line, exc)
        else:
            yield Setting(row.line, values, fields.notes)


def _values(fields: Fields, readers: Mapping[str, _Reader], required: Sequence[str]) -> dict[str, Any]:
    """Return the values of the cells that are not empty."""
    given = {name: read for name, read in readers.items() if not is_empty(str(fields.values.get(name) or ""))}
    for name in required:
        if name not in given:
            raise RejectedRecordError(name, fields.values.get(name), "is required; the cell is empty")
    return {name: read(fields, name) for name, read in given.items()}


def _text(fields: Fields, name: str) -> str:
    return fields.text(name).strip()


def _flag(fields: Fields, name: str) -> bool:
    said = fields.text(name).strip().casefold()
    if said not in _YES:
        raise RejectedRecordError(name, said, "true or false")
    return _YES[said]


def _count(fields: Fields, name: str) -> int:
    number = fields.number(name)
    if number != number.to_integral_value() or number < 0:
        raise RejectedRecordError(name, number, "a whole number, 0 or more")
    return int(number)


def _key(fields: Fields, name: str) -> UUID:
    try:
        return UUID(fields.text(name).strip())
    except ValueError as exc:
        raise RejectedRecordError(name, fields.values.get(name), "a UUID") from exc


def _json(fields: Fields, name: str) -> Any:
    try:
        found = parse_json(fields.text(name))
    except ValueError as exc:
        raise RejectedRecordError(name, fields.values.get(name), f"JSON is wanted ({exc})") from exc
    return _plain(found)


def _plain(value: Any) -> Any:
    """Return a document with numbers as JSON has them: settings are no money until somebody reads them so."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return float(value) if hasattr(value, "as_tuple") else value


def _symbols(fields: Fields, name: str) -> list[str]:
    """Return tickers: a list in JSON, an array as PostgreSQL writes it, or names with commas or semicolons."""
    text = fields.text(name).strip()
    if text.startswith("["):
        found = _json(fields, name)
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise RejectedRecordError(name, text, "a list of tickers")
        return found
    return [one.strip(' "') for one in text.strip("{}").replace(";", ",").split(",") if one.strip(' "')]


def _share(fields: Fields, name: str) -> Any:
    number = fields.number(name)
    if not 1 < number <= 100:
        return number
    fields.notes.append(Issue(fields.line, name, str(fields.values[name]), _PERCENT, rejected=False))
    return number / 100


def _number(fields: Fields, name: str) -> Any:
    return fields.number(name)


_Reader = Callable[[Fields, str], Any]
_COLUMNS: Final[dict[str, dict[str, _Reader]]] = {
    STRATEGIES: {
        "id": _key,
        "name": _text,
        "is_active": _flag,
        "allowed_symbols": _symbols,
        **dict.fromkeys(
            ("session_windows", "entry_conditions", "exit_rules", "forbidden_conditions", "risk_caps"), _json
        ),
        "rr_expectation": _number,
    },
    RISK_CONFIG: {
        "ai_trading_enabled": _flag,
        "min_confidence_threshold": _share,
        "max_lot_size": _number,
        "max_concurrent_trades": _count,
        "daily_profit_target": _number,
        "stop_after_target": _flag,
        "max_drawdown_amount": _number,
        "halt_on_drawdown": _flag,
        "allow_off_watchlist_autotrade": _flag,
        "last_halt_reason": _text,
    },
}
_REQUIRED: Final = {STRATEGIES: ("name",), RISK_CONFIG: ()}
