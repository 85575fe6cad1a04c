"""The files of Prescient's tree: read record by record, and written whole or not at all."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from friren.errors import ConfigurationError, RejectedRecordError
from friren.locking import exclusive
from trading_engine.data.atomic_files import replacing
from trading_engine.data.importers.json_stream import BrokenJsonError, Item, asked_for, path_text, walk
from trading_engine.data.importers.parsed import Issue, UnreadableFileError, issue_of
from trading_engine.data.importers.records import SourceFile, opened
from trading_engine.data.prescient.tables import Table, table_named
from trading_engine.data.prescient.values import Place, json_bytes, record_of

__all__ = [
    "append_records",
    "files_of",
    "place_of",
    "read_records",
    "write_records",
]

MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
COPIED_AT_ONCE: Final = 1024 * 1024
# Longer than any writing of a file takes, and no longer than a cycle can wait; a process that ends frees its lock.
LOCK_SECONDS: Final = 5.0
# What may stand behind the last record: the end of the list, and space.
TAIL_BYTES: Final = 4096
_INDENT: Final = b"\n  "


def place_of(root: Path, table: Table, *, month: str = "") -> Path:
    """Return the file of a table, of a monthly one that of `month` (YYYY-MM)."""
    return root / table.path.replace("*", month)


def files_of(root: Path, table: Table) -> list[Path]:
    """Return the files of a table that are there, the oldest month first."""
    if not table.monthly:
        return [path] if (path := place_of(root, table)).is_file() else []
    found = sorted(root.glob(table.path))
    return [path for path in found if MONTH.fullmatch(path.stem.rpartition("_")[2])]


def read_records(
    path: Path, table: Table, file: SourceFile | None = None
) -> Iterator[tuple[Place, dict[str, Any]] | Issue]:
    """
    Yield the records of one file with their places, and in the place of one that breaks a rule what is wrong with it.

    Memory does not grow with the file.

    Args:
        file: told how far it was read.

    Raises:
        UnreadableFileError: it cannot be opened, is no JSON from some place on, or holds something else.
    """
    month = path.stem.rpartition("_")[2] if table.monthly else ""
    for item in _items(path, table, file):
        told = item.value
        if month and isinstance(told, dict) and not told.get("archive_month"):
            told = {**told, "archive_month": month}
        place = path_text(item.path)
        try:
            record, found = record_of(table, told, line=item.line, path=place)
        except RejectedRecordError as exc:
            yield issue_of(item.line, exc, path=place)
        else:
            yield found, record


def _items(path: Path, table: Table, file: SourceFile | None) -> Iterator[Item]:
    wanted = "{" if table.is_document or table.within else "["
    with opened(path) as stream:
        if not (begin := stream.read(TAIL_BYTES).lstrip()).startswith(wanted):
            rule = "an object is wanted" if wanted == "{" else "a list of records is wanted"
            raise UnreadableFileError(path, rule if begin else f"{rule}; the file is empty")
    with opened(path, file) as stream:
        try:
            if table.is_document:
                names = [(name,) for column in table.columns for name in (column.name, *column.aliases)]
                found = list(walk(stream, asked_for(*names)))
                yield Item(found[0].line if found else 1, (), {str(item.path[0]): item.value for item in found})
            else:
                yield from walk(stream, asked_for((table.within, "[]") if table.within else ("[]",)))
        except BrokenJsonError as exc:
            raise UnreadableFileError(path, f"{exc}; what stands before it was read") from exc


def write_records(
    root: Path, table: Table, records: Iterable[Mapping[str, Any]], *, positions: Iterable[Mapping[str, Any]] = ()
) -> list[Path]:
    """
    Write the files of a table anew, each whole or not at all; return them.

    Args:
        records: taken as they are needed, for a monthly table month after month. Of a table that is a document, one.
        positions: of the table `portfolio`: the records that stand in its document.

    Raises:
        OSError: the disk refuses; the file that was being written is what it was.
    """
    if table.within:
        raise ValueError(f"{table.name} stands in the document of another table: write that")
    if not table.monthly:
        path = place_of(root, table)
        with _locked(path):
            if table.is_document:
                (record,) = records
                _write_document(path, table, record, positions)
            else:
                _write_list(path, table, records)
        return [path]
    months: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        months.setdefault(record["archive_month"], []).append(record)
    for month, some in sorted(months.items()):
        path = place_of(root, table, month=month)
        with _locked(path):
            _write_list(path, table, some)
    return [place_of(root, table, month=month) for month in sorted(months)]


def append_records(root: Path, table: Table, records: Iterable[Mapping[str, Any]]) -> None:
    """
    Add records at the end of a table's file, all of them or none; one process at a time.

    What stands in the file is copied as it is, neither read nor rewritten.

    Raises:
        OSError: the disk refuses; the file is what it was.
        UnreadableFileError: the file is no list of records; it is left as it is.
    """
    months: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        months.setdefault(record["archive_month"] if table.monthly else "", []).append(record)
    for month, some in sorted(months.items()):
        path = place_of(root, table, month=month)
        with _locked(path):
            _append(path, table, some)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file's lock; TimeoutError, which is an OSError, when somebody else does not let go of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS):
            yield
    except ConfigurationError as exc:
        raise TimeoutError(str(exc)) from exc


def _append(path: Path, table: Table, records: Iterable[Mapping[str, Any]]) -> None:
    if not path.exists():
        _write_list(path, table, records)
        return
    with path.open("rb") as old:
        end, empty = _end_of_list(path, old)
        with replacing(path) as file:
            old.seek(0)
            _copy(old, file, end)
            _write_items(file, table, records, first=empty)


def _end_of_list(path: Path, old: IO[bytes]) -> tuple[int, bool]:
    """Return where the last record of a list ends, and whether there is none."""
    size = old.seek(0, io.SEEK_END)
    begin = max(0, size - TAIL_BYTES)
    old.seek(begin)
    tail = old.read().rstrip()
    if not tail.endswith(b"]"):
        raise UnreadableFileError(
            path, "a list of records is wanted, and this does not end as one; it is left as it is"
        )
    content = tail[:-1].rstrip()
    return begin + len(content), content.endswith(b"[")


def _copy(old: IO[bytes], file: IO[bytes], size: int) -> None:
    while size:
        some = old.read(min(size, COPIED_AT_ONCE))
        file.write(some)
        size -= len(some)


def _write_list(path: Path, table: Table, records: Iterable[Mapping[str, Any]]) -> None:
    with replacing(path) as file:
        file.write(b"[")
        _write_items(file, table, records, first=True)


def _write_items(file: IO[bytes], table: Table, records: Iterable[Mapping[str, Any]], *, first: bool) -> None:
    for record in records:
        file.write(_INDENT if first else b"," + _INDENT)
        file.write(_indented(json_bytes(table, record)))
        first = False
    file.write(b"]\n" if first else b"\n]\n")


def _write_document(
    path: Path, table: Table, record: Mapping[str, Any], positions: Iterable[Mapping[str, Any]]
) -> None:
    items = b", ".join(json_bytes(table_named("positions"), each) for each in positions)
    text = json_bytes(table, record).rstrip()[:-1] + b', "positions": [' + items + b"]}"
    with replacing(path) as file:
        file.write(msgspec.json.format(text, indent=2))
        file.write(b"\n")


def _indented(record: bytes) -> bytes:
    # A line break within a text is written as an escape: those that are left are the formatter's.
    return msgspec.json.format(record, indent=2).replace(b"\n", _INDENT)
