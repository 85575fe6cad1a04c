"""Files of other systems into the books: batches of one commit each, and every record that did not go in is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from friren.accounts import AccountHandle
from friren.errors import DatabaseUnavailableError, RejectedRecordError
from friren.persistence.groups import group_of
from friren.persistence.receipts import WriteOutcome
from friren.persistence.recorder import Recorder
from friren.persistence.settings import BULK_BATCH_ROWS
from trading_engine.data.importers.parsed import Issue, UnreadableFileError, issue_of
from trading_engine.data.importers.records import Entry, SourceFile
from trading_engine.services.import_batches import Judged, judge_batch, store_batch_of_imports
from trading_engine.services.imported_facts import Proposed, proposed_facts

__all__ = ["ImportedFile", "import_file"]

# By which a source names what it tells of, the first that there is.
_KEYS: Final = ("external_id", "market_id", "event_id", "condition_id", "market")
# Per file and kind; the count beside the list is exact.
LISTED_MAX: Final = 10_000
_NOWHERE: Final = "neither the database nor the disk of this machine takes it now; import the file again"
# A batch in memory: records in which a model explains itself make it shorter than `BULK_BATCH_ROWS`.
BATCH_CHARACTERS: Final = 4 * 1024 * 1024


@dataclass(slots=True)
class ImportedFile:
    """
    What became of one file.

    Attributes:
        records: that were read; one may tell of several facts.
        imported, updated, duplicates, conflicts: facts: new, moved on, there already, stored with other content.
        rejected: records of which nothing new was stored.
        journaled: facts that the database could not take; they follow.
        rejected_rows, changed_rows: the first of them, by line.
        conflict_rows: the first facts that are stored with other content, with what differs.
        broken: why the file could not be read to its end; None when it was.
    """

    file: str
    records: int = 0
    imported: int = 0
    updated: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    journaled: int = 0
    rejected_rows: list[Issue] = field(default_factory=list)
    changed_rows: list[Issue] = field(default_factory=list)
    conflict_rows: list[dict[str, Any]] = field(default_factory=list)
    broken: UnreadableFileError | None = None


def import_file(
    file: SourceFile,
    *,
    account: AccountHandle | None,
    recorder: Recorder,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _bytes: None,
) -> ImportedFile:
    """
    Store what a file tells of an account; doing it again stores nothing. Memory does not grow with the file.

    Args:
        account: None for a file that is about no books.
        recorder: in direct mode; what the database cannot take goes to the journal.
        dry_run: count what would be stored, and store nothing.
        progress: told how many bytes were read so far.

    Raises:
        DatabaseUnavailableError: in a dry run, when the database cannot be asked.
    """
    report = ImportedFile(str(file.path))
    importing = _Importing(report, account, recorder, dry_run=dry_run)
    try:
        for one in file:
            importing.add(one)
            if importing.is_full:
                importing.store()
                progress(file.read)
    except UnreadableFileError as exc:
        report.broken = exc
    importing.store()
    progress(file.read)
    return report


class _Importing:
    """The batch that is gathered, and the report that is written."""

    def __init__(
        self, report: ImportedFile, account: AccountHandle | None, recorder: Recorder, *, dry_run: bool
    ) -> None:
        self._report, self._account, self._recorder, self._dry_run = report, account, recorder, dry_run
        self._book = None if account is None else account.id
        self._entries: list[tuple[Entry, list[Proposed]]] = []
        self._facts = self._characters = 0

    @property
    def is_full(self) -> bool:
        """Whether what was gathered is a batch."""
        return self._facts >= BULK_BATCH_ROWS or self._characters >= BATCH_CHARACTERS

    def add(self, one: Entry | Issue) -> None:
        """Take in a record, or what is to be said of one."""
        report = self._report
        if isinstance(one, Issue):
            report.records += one.rejected
            report.rejected += one.rejected
            _list(report.rejected_rows if one.rejected else report.changed_rows, one)
            return
        report.records += 1
        try:
            proposed = proposed_facts(self._account, one)
        except RejectedRecordError as exc:
            self._reject(one, exc)
        else:
            self._entries.append((one, proposed))
            self._facts += len(proposed)
            for told in one.told:
                self._characters += sum(len(value) for value in told.keywords.values() if isinstance(value, str))

    def store(self) -> None:
        """Store what was gathered."""
        some, self._entries, self._facts, self._characters = self._entries, [], 0, 0
        if some:
            self._store(some)

    def _store(self, some: Sequence[tuple[Entry, list[Proposed]]]) -> None:
        records = [proposed for _entry, proposed in some]
        if self._dry_run:
            judged = self._recorder.derive(partial(self._judge, records))
            if judged is None:
                raise DatabaseUnavailableError
        else:
            lines = [entry.line for entry, _proposed in some]
            write = partial(self._write, records, lines)
            try:
                judged = self._recorder.store_many(write)
            except RejectedRecordError as exc:
                # Refused as a whole: what no question to the set could find shows one by one.
                if len(some) == 1:
                    self._reject(some[0][0], exc)
                    return
                for one in some:
                    self._store([one])
                return
        if judged is None:
            self._journal(some)
            return
        for (entry, _proposed), verdict in zip(some, judged, strict=True):
            self._count(entry, verdict)

    def _judge(self, records: Sequence[Sequence[Proposed]], alias: str) -> list[Judged]:
        judged = judge_batch(records, account=self._book, using=alias)
        for one in judged:
            one.imported, one.updated = len(one.fresh), len(one.moves)
        return judged

    def _write(self, records: Sequence[Sequence[Proposed]], lines: Sequence[int], alias: str) -> list[Judged]:
        return store_batch_of_imports(records, account=self._book, file=self._report.file, lines=lines, using=alias)

    def _journal(self, some: Sequence[tuple[Entry, list[Proposed]]]) -> None:
        """Take records into the journal: their ids make what is stored already a duplicate there."""
        for entry, proposed in some:
            facts = [one.fact for one in proposed]
            receipt = self._recorder.journal(group_of(facts) if len(facts) > 1 else facts[0])
            if receipt.outcome is WriteOutcome.JOURNALED:
                self._report.journaled += len(facts)
            else:
                self._reject(entry, RejectedRecordError("", "", _NOWHERE))

    def _count(self, entry: Entry, one: Judged) -> None:
        report = self._report
        report.imported += one.imported
        report.updated += one.updated
        report.duplicates += one.duplicates
        report.conflicts += len(one.conflicts)
        for conflict in one.conflicts:
            told = {name: {"stored": stored, "told": new} for name, (stored, new) in conflict.fields.items()}
            if len(report.conflict_rows) < LISTED_MAX:
                values = conflict.fact.values
                report.conflict_rows.append(
                    {
                        "line": entry.line,
                        "path": entry.path,
                        "kind": conflict.fact.kind,
                        "external_id": next((str(values[name]) for name in _KEYS if name in values), ""),
                        "fields": told,
                    }
                )
        if one.refusal is not None:
            self._reject(entry, one.refusal)

    def _reject(self, entry: Entry, error: RejectedRecordError) -> None:
        self._report.rejected += 1
        _list(self._report.rejected_rows, issue_of(entry.line, error, path=entry.path))


def _list(rows: list[Issue], row: Issue) -> None:
    if len(rows) < LISTED_MAX:
        rows.append(row)
