"""Tables in the files of Prescient's tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from friren.errors import KeyReusedError
from friren.persistence.digest import digest_of
from trading_engine.data.importers.parsed import Issue, UnreadableFileError
from trading_engine.data.prescient import (
    Table,
    append_records,
    files_of,
    read_records,
    record_of,
    table_named,
    write_records,
)
from trading_engine.data.prescient.tables import Mode
from trading_engine.data.storage.base import Record, Side, Written

__all__ = ["FileStorage", "content_of"]

# Of two readings of one day the later stays.
_NEWEST: Final = {"portfolio_history": "timestamp"}


def content_of(table: Table, record: Record) -> bytes:
    """Return the digest of what file and database must agree on in a record."""
    values = {column.name: record.get(column.name) for column in table.columns if column.compared}
    return digest_of({name: value for name, value in values.items() if value is not None and value is not False})


class FileStorage:
    """
    The tables of one account in files below `root`; every writing is atomic, and one process writes at a time.

    Raises:
        OSError: by any method: the disk refuses; the files are what they were.
        UnreadableFileError: by any method: a file is damaged; it is left as it is.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        # Contents by key of the files that are added to, as long as nobody else writes them.
        self._known: dict[str, tuple[Any, dict[tuple[Any, ...], bytes]]] = {}

    def save(self, table: str, records: Iterable[Record]) -> Written:
        """Save records, see `Storage.save`."""
        is_ = table_named(table)
        if is_.is_document:
            return self._save_document(is_, records)
        told = [record_of(is_, record)[0] for record in records]
        if is_.mode is Mode.OVERWRITE:
            write_records(self.root, is_, told)
            return Written(file=Side.STORED)
        if is_.name in _NEWEST:
            return self._save_newest(is_, told)
        return self._save_more(is_, told)

    def load(self, table: str) -> list[dict[str, Any]]:
        """Return what a table holds, in the order of its keys."""
        is_ = table_named(table)
        found = list(self.iterate(table))
        return found if is_.is_document else sorted(found, key=is_.key_of)

    def iterate(self, table: str) -> Iterator[dict[str, Any]]:
        """
        Yield what a table holds.

        Raises:
            UnreadableFileError: a record breaks a rule: what a bot trades on is whole, or refused.
        """
        is_ = table_named(table)
        for path in files_of(self.root, is_):
            for found in read_records(path, is_):
                if isinstance(found, Issue):
                    raise UnreadableFileError(path, str(found))
                record = found[1]
                if is_.is_document:
                    record["positions"] = list(self.iterate("positions"))
                yield record

    def close(self) -> None:
        """Do nothing: every writing was synced."""

    def _save_document(self, is_: Table, records: Iterable[Record]) -> Written:
        (document,) = records
        within = table_named("positions")
        positions = [record_of(within, each)[0] for each in document.get("positions") or ()]
        write_records(self.root, is_, [record_of(is_, document)[0]], positions=positions)
        return Written(file=Side.STORED)

    def _save_more(self, is_: Table, told: list[dict[str, Any]]) -> Written:
        known = self._keys(is_)
        fresh: dict[tuple[Any, ...], dict[str, Any]] = {}
        contents: dict[tuple[Any, ...], bytes] = {}
        for record in told:
            key, content = is_.key_of(record), content_of(is_, record)
            held = known.get(key) or contents.get(key)
            if held is None:
                fresh[key], contents[key] = record, content
            elif held != content:
                raise KeyReusedError(is_.key[0], key[0], f"a record of {is_.name} with this key has other content")
        if not fresh:
            return Written(file=Side.DUPLICATE)
        append_records(self.root, is_, fresh.values())
        known.update(contents)
        self._known[is_.name] = (self._state(is_), known)
        return Written(file=Side.STORED)

    def _keys(self, is_: Table) -> dict[tuple[Any, ...], bytes]:
        """Return the contents by key of what was saved, read again when somebody else wrote the files."""
        state = self._state(is_)
        before, known = self._known.get(is_.name, (None, {}))
        if before != state:
            known = {is_.key_of(record): content_of(is_, record) for record in self.iterate(is_.name)}
        return known

    def _state(self, is_: Table) -> tuple[tuple[str, int, int], ...]:
        found = ((path, path.stat()) for path in files_of(self.root, is_))
        return tuple((path.name, stat.st_mtime_ns, stat.st_size) for path, stat in found)

    def _save_newest(self, is_: Table, told: list[dict[str, Any]]) -> Written:
        held = {is_.key_of(record): record for record in self.iterate(is_.name)}
        after = dict(held)
        for record in told:
            key, by = is_.key_of(record), _NEWEST[is_.name]
            if key not in after or record[by] >= after[key][by]:
                after[key] = record
        if after == held:
            return Written(file=Side.DUPLICATE)
        write_records(self.root, is_, after.values())
        return Written(file=Side.STORED)
