"""Tables in files and in PostgreSQL at once, or in one of them: as the flags say, and the caller is none the wiser."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import structlog
from django.db import Error as DatabaseError

from friren.accounts import AccountHandle
from friren.errors import DatabaseUnavailableError, FrirenError, KeyReusedError
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.prescient import Table, record_of, table_named
from trading_engine.data.prescient.tables import Mode
from trading_engine.data.storage.base import Record, Side, Storage, Written
from trading_engine.data.storage.files import FileStorage
from trading_engine.data.storage.mode import StorageMode, current_mode, json_root
from trading_engine.data.storage.postgres import PostgresStorage

__all__ = ["HybridStorage", "storage_for"]

log = structlog.get_logger(__name__)

# Writings of a table that wait for its file; what is more is in the database, and `check_consistency` names it.
WAITING_MAX: Final = 10_000
_REFUSALS: Final = (OSError, UnreadableFileError)


class HybridStorage:
    """
    A storage over two others, which does as `mode` says.

    While both sides are written the file is the first, and the one whose word counts: a database that refuses fails no
    call, and neither does a file while the database takes the record. The side that refused is behind until it caught
    up: the database by its journal, the file before the next writing, or by `catch_up`.
    """

    def __init__(self, files: Storage, database: Storage, *, mode: StorageMode) -> None:
        self.files, self.database, self.mode = files, database, mode
        # By file, in their order: one that is damaged must not hold up the others.
        self._waiting: dict[str, deque[tuple[str, list[dict[str, Any]]]]] = {}
        # What the database refused of tables that are overwritten: it would tell of what was before.
        self._owed: dict[str, list[dict[str, Any]]] = {}
        for warning in mode.warnings:
            log.warning(warning)

    def save(self, table: str, records: Iterable[Record]) -> Written:
        """
        Save records, see `Storage.save`.

        Raises:
            OSError, UnreadableFileError: the file refuses, and the database is not written.
        """
        is_ = table_named(table)
        told = _checked(is_, records)
        to_database = self.mode.writes_database(is_.stage)
        if not self.mode.write_file and to_database:
            return self.database.save(table, told)
        file = self._save_file(is_, told, alone=not to_database)
        return Written(file=file, database=self._save_database(is_, told) if to_database else Side.OFF)

    def load(self, table: str) -> list[dict[str, Any]]:
        """
        Return what a table holds, in the order of its keys. A file that is behind is not asked.

        Raises:
            DatabaseUnavailableError: the database does not answer, and the files are not to be asked.
        """
        is_ = table_named(table)
        behind = not self._catch_up(is_.path)
        if table in self._owed and self._save_database(is_, self._owed[table]) is Side.BEHIND and not behind:
            return self.files.load(table)
        if not self.mode.reads_database(is_.stage) and not behind:
            return self.files.load(table)
        try:
            return self.database.load(table)
        except (DatabaseUnavailableError, DatabaseError) as exc:
            if behind or not self.mode.fallback_to_file:
                raise
            log.warning("read from the files: the database does not answer", table=table, error=str(exc))
            return self.files.load(table)

    def iterate(self, table: str) -> Iterator[dict[str, Any]]:
        """Yield what `load` returns."""
        yield from self.load(table)

    def catch_up(self) -> bool:
        """Write what waits for the files; return whether they have all of it."""
        # Every one of them is tried.
        caught_up = [self._catch_up(path) for path in self._waiting]
        return all(caught_up)

    def _catch_up(self, path: str) -> bool:
        waiting = self._waiting.get(path)
        while waiting:
            table, records = waiting[0]
            try:
                self.files.save(table, records)
            except _REFUSALS as exc:
                log.warning("the file is behind", table=table, error=str(exc))
                return False
            except KeyReusedError as exc:
                # Somebody else wrote it otherwise meanwhile: check_consistency names it.
                log.error("the file has this record with other content", table=table, error=str(exc))  # noqa: TRY400
            waiting.popleft()
        return True

    @property
    def waiting(self) -> int:
        """How many writings wait for the files."""
        return sum(map(len, self._waiting.values()))

    def close(self) -> None:
        """Take no more records, and write what waits for the files."""
        self.catch_up()
        self.files.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _save_file(self, is_: Table, told: list[dict[str, Any]], *, alone: bool) -> Side:
        try:
            # In their order: what waited first.
            self.catch_up()
            if self._waiting.get(is_.path):
                raise OSError("an earlier writing waits")
            return self.files.save(is_.name, told).file
        except _REFUSALS as exc:
            if alone:
                raise
            log.error("the file refuses; it is behind", table=is_.name, error=str(exc))  # noqa: TRY400
            self._wait(is_, told)
            return Side.BEHIND

    def _wait(self, is_: Table, told: list[dict[str, Any]]) -> None:
        waiting = self._waiting.setdefault(is_.path, deque())
        if is_.mode is Mode.OVERWRITE:
            # Only what was saved last is ever read.
            waiting.clear()
        if len(waiting) < WAITING_MAX:
            waiting.append((is_.name, told))

    def _save_database(self, is_: Table, told: list[dict[str, Any]]) -> Side:
        try:
            side = self.database.save(is_.name, told).database
        except (FrirenError, DatabaseError) as exc:
            # The file has it, which is the source of truth; check_consistency names what is missing here.
            if is_.mode is Mode.OVERWRITE:
                self._owed[is_.name] = told
            log.error("the database refuses; it is behind", table=is_.name, error=str(exc))  # noqa: TRY400
            return Side.BEHIND
        self._owed.pop(is_.name, None)
        return side


def _checked(is_: Table, records: Iterable[Record]) -> list[dict[str, Any]]:
    """Return records by the rules of their table, before either side has any of them."""
    told = []
    for record in records:
        checked = record_of(is_, record)[0]
        if is_.is_document:
            within = table_named("positions")
            checked["positions"] = [record_of(within, each)[0] for each in record.get("positions") or ()]
        told.append(checked)
    return told


def storage_for(
    account: AccountHandle | str, *, mode: StorageMode | None = None, root: Path | None = None, using: str = "default"
) -> HybridStorage:
    """
    Return the storage of an account as the flags of this process say.

    Args:
        mode: what the flags come to, unless given.
        root: folder of the files; FRIREN_JSON_DIR unless given.

    Raises:
        ConfigurationError: a flag is wrong, or no books of that name were opened.
    """
    files = FileStorage(json_root() if root is None else root)
    return HybridStorage(files, PostgresStorage(account, using=using), mode=current_mode() if mode is None else mode)
