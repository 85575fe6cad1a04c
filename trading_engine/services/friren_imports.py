"""Rows of an export back into a database: facts by the write path under their own ids, and everything compared."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, DatabaseError, transaction

from friren.errors import RejectedRecordError
from friren.persistence.batches import prepare
from friren.persistence.copy import copy_facts, is_refusal
from friren.persistence.facts import Fact, spec_of
from friren.persistence.handlers import one_commit
from friren.persistence.receipts import WriteOutcome
from friren.persistence.settings import BULK_BATCH_ROWS
from trading_engine.data.importers.friren import open_export
from trading_engine.data.importers.parsed import UnreadableFileError, issue_of
from trading_engine.data.importers.records import ReadFiles, SourceFile
from trading_engine.data.transfer.formats import read_table
from trading_engine.data.transfer.manifests import ExportedTable
from trading_engine.data.transfer.reading import References, snapshot
from trading_engine.data.transfer.registry import follow_up
from trading_engine.data.transfer.tables import Column, Table
from trading_engine.data.transfer.values import python_of
from trading_engine.services.data_exports import table_digest
from trading_engine.services.data_imports import LISTED_MAX, ImportedFile
from trading_engine.services.row_inserts import fill_in, insert_rows

__all__ = ["ImportedTable", "import_export", "import_exports"]

Row = Mapping[str, Any]


@dataclass(slots=True)
class ImportedTable(ImportedFile):
    """
    What became of one table.

    Attributes:
        table: name of the model.
        equal: whether the rows that an export of the same extent would hold now are those of this one.
    """

    table: str = ""
    equal: bool = False

    def reject(self, line: int, error: RejectedRecordError) -> None:
        """Count a row that was refused, and keep why."""
        self.rejected += 1
        if len(self.rejected_rows) < LISTED_MAX:
            self.rejected_rows.append(issue_of(line, error))


def import_exports(paths: Sequence[Path], *, dry_run: bool) -> tuple[ReadFiles, list[ImportedFile]]:
    """
    Import folders of exports, for `import_data --source friren`.

    A table that does not come out as it was exported is named among what cannot be read: the database held other rows.

    Args:
        dry_run: only prove that the files are whole.
    """
    read = ReadFiles()
    done: list[ImportedFile] = []
    for folder in paths:
        try:
            manifest, _tables = open_export(folder)
            read.files += [SourceFile(folder / one.file, lambda _file: iter(()), one.bytes) for one in manifest.tables]
            tables = [] if dry_run else import_export(folder)
        except UnreadableFileError as exc:
            read.unreadable.append(exc)
            continue
        done += tables
        unequal = [one.table for one in tables if not one.equal]
        if unequal:
            rule = f"not equal to the export after the import: {', '.join(unequal)}; the database holds other rows"
            read.unreadable.append(UnreadableFileError(folder, rule))
    return read, done


def import_export(
    folder: Path,
    *,
    progress: Callable[[str, int], None] = lambda _table, _rows: None,
    using: str = DEFAULT_DB_ALIAS,
) -> list[ImportedTable]:
    """
    Store the rows of an export; doing it again stores nothing. Memory does not grow with it.

    Args:
        folder: of `export_tables`.
        progress: told each table when its rows are stored.

    Raises:
        UnreadableFileError: it is no export, or was damaged; nothing was stored.
    """
    manifest, tables = open_export(folder)
    files = {one.name: one for one in manifest.tables}
    references, reports = References(using), []
    for table in tables:
        work = _Work(table, folder, files[table.name], manifest.format, references, using)
        reports.append(work.store())
        progress(table.name, work.report.imported)
    account = UUID(manifest.account_id) if manifest.account_id else None
    for table, report in zip(tables, reports, strict=True):
        # An import that was killed may have stored all rows and have filled in none.
        if table.late and (report.imported or not _is_equal(table, files[table.name], account, using)):
            _Work(table, folder, files[table.name], manifest.format, references, using).fill_in()
        report.equal = _is_equal(table, files[table.name], account, using)
    follow_up(_accounts(folder, manifest.format, tables, files))
    return reports


def _is_equal(table: Table, told: ExportedTable, account: UUID | None, using: str) -> bool:
    with snapshot(using):
        found = table_digest(table, account=account, using=using)
    return (found.rows, found.text) == (told.rows, told.digest)


@dataclass(slots=True)
class _Work:
    """One table on its way from its file."""

    table: Table
    folder: Path
    file: ExportedTable
    form: str
    references: References
    using: str
    report: ImportedTable = field(init=False)

    def __post_init__(self) -> None:
        self.report = ImportedTable(str(self.folder / self.file.file), table=self.table.name)

    def store(self) -> ImportedTable:
        """Store what is new of the rows, but for what is filled in late."""
        self.references.forget()
        take = self._take_facts if self.table.is_fact else self._take_rows
        for batch in self._batches():
            take(batch)
        return self.report

    def fill_in(self) -> None:
        """Fill in what refers to tables that are stored by now."""
        late = self.table.late
        key = str(self.table.model._meta.pk.column)
        for batch in self._batches():
            with transaction.atomic(using=self.using):
                for column in late:
                    told = [(row[key], self._python(column, row[column.name])) for _line, row in batch]
                    fill_in(self.table, column, [one for one in told if one[1] is not None], using=self.using)

    def _batches(self) -> Iterator[list[tuple[int, Row]]]:
        rows = read_table(self.folder / self.file.file, self.form, self.table.columns)
        while some := list(itertools.islice(rows, BULK_BATCH_ROWS)):
            yield some

    def _take_facts(self, batch: Sequence[tuple[int, Row]]) -> None:
        made: list[tuple[int, UUID | None, Fact]] = []
        for line, row in batch:
            self.report.records += 1
            try:
                made.append((line, UUID(row["producer"]) if row.get("producer") else None, self._fact(row)))
            except RejectedRecordError as exc:
                self.report.reject(line, exc)
        prepare([fact for _line, _producer, fact in made], using=self.using)
        spec = spec_of(self.table.model)
        with one_commit(self.using):
            for producer, some in itertools.groupby(made, key=lambda one: one[1]):
                lines = list(some)
                facts = [fact for _line, _producer, fact in lines]
                verdicts = copy_facts(spec, facts, using=self.using, producer=producer)
                for (line, _producer, _fact), verdict in zip(lines, verdicts, strict=True):
                    if isinstance(verdict, RejectedRecordError):
                        self.report.reject(line, verdict)
                    elif verdict is WriteOutcome.STORED:
                        self.report.imported += 1
                    else:
                        self.report.duplicates += 1

    def _fact(self, row: Row) -> Fact:
        """Return the fact of a row, once it is proven that it says what its digest was made of."""
        spec = spec_of(self.table.model)
        key = self._python(self._column("id"), row["id"])
        values = {
            column.field.name: self._python(column, row[column.name])
            for column in self.table.columns
            if column.field.name in spec.fields and not column.late
        }
        fact = Fact(kind=spec.kind, id=key, values=spec.checked(values, key))
        if fact.digest.hex() != row["digest"]:
            raise RejectedRecordError("digest", row["digest"], "the row says something else than what was stored")
        return fact

    def _take_rows(self, batch: Sequence[tuple[int, Row]]) -> None:
        made = []
        for line, row in batch:
            self.report.records += 1
            try:
                values = [
                    None if column.late else self._python(column, row[column.name]) for column in self.table.columns
                ]
            except RejectedRecordError as exc:
                self.report.reject(line, exc)
            else:
                made.append((line, values))
        try:
            with transaction.atomic(using=self.using):
                new = insert_rows(self.table, [values for _line, values in made], using=self.using)
        except DatabaseError as exc:
            if not is_refusal(exc):
                raise
            if len(made) == 1:
                self.report.reject(made[0][0], RejectedRecordError("", None, f"the database refuses it: {exc}"))
                return
            self.report.records -= len(batch)
            for one in batch:
                self._take_rows([one])
            return
        self.report.imported += new
        self.report.duplicates += len(made) - new

    def _python(self, column: Column, value: Any) -> Any:
        if value is None:
            return None
        try:
            if column.target is None:
                return python_of(column.kind)(value)
            if self.table.is_fact and spec_of(self.table.model).fields[column.field.name].natural is not None:
                return value
            return self.references.key_of(column.target, value)
        except (ValueError, TypeError, ArithmeticError) as exc:
            raise RejectedRecordError(column.name, value, f"a value of {column.kind}") from exc
        except LookupError as exc:
            rule = f"no {column.target._meta.object_name} of this name" if column.target else "unknown"
            raise RejectedRecordError(column.name, value, rule) from exc

    def _column(self, name: str) -> Column:
        return next(column for column in self.table.columns if column.name == name)


def _accounts(folder: Path, form: str, tables: Sequence[Table], files: Mapping[str, ExportedTable]) -> list[UUID]:
    found: list[UUID] = []
    for table in tables:
        if table.account == "id":
            rows = read_table(folder / files[table.name].file, form, table.columns)
            found += [UUID(row["id"]) for _line, row in rows]
    return found
