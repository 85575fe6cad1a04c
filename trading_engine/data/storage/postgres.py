"""Tables in PostgreSQL: the rows that the loggers write and everybody reads, in the words of the source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from friren.accounts import AccountHandle, find_account
from friren.errors import ConfigurationError, DatabaseUnavailableError
from friren.persistence.facts import Fact
from friren.persistence.groups import group_of
from friren.persistence.receipts import Receipt, WriteOutcome
from friren.persistence.recorder import Recorder
from trading_engine.data.importers.records import Entry, Told
from trading_engine.data.prescient import Table, record_of, table_named
from trading_engine.data.prescient.telling import current_rows, told_of
from trading_engine.data.storage.base import Record, Side, Written
from trading_engine.data.storage.stored import Reader, reader_of
from trading_engine.services.imported_facts import proposed_facts

__all__ = ["PostgresStorage"]

# Ends of positions are told again with every portfolio: those that are stored need not be sent again.
REMEMBERED_MAX: Final = 100_000


class PostgresStorage:
    """
    The tables of one account in the database, written by the one write path: what the database cannot take in time goes
    to the journal, and nothing raises but wrong data.

    Args:
        account: a handle of `friren.open_account`, or the name of books that were opened.
    """

    def __init__(self, account: AccountHandle | str, *, using: str = "default") -> None:
        self.account = find_account(account)
        self.recorder = Recorder(using=using)
        self._stored: set[tuple[UUID, bytes]] = set()

    def save(self, table: str, records: Iterable[Record]) -> Written:
        """Save records, see `Storage.save`."""
        is_ = table_named(table)
        if reader_of(table) is None:
            raise ConfigurationError(f"the table {table} is kept in files only")
        documents = list(records)
        told = [(is_, record_of(is_, record)[0]) for record in documents]
        if is_.is_document:
            within = table_named("positions")
            told += [(within, record_of(within, each)[0]) for one in documents for each in one.get("positions") or ()]
        if is_.stage == "markets":
            return self._save_many(is_, told)
        facts = [fact for fact in self._facts(is_, told) if (fact.id, fact.digest) not in self._stored]
        if not facts:
            return Written(database=Side.DUPLICATE)
        receipts = self.recorder.record_all(facts)
        self._remember(facts, receipts)
        return Written(database=_side(receipts))

    def load(self, table: str) -> list[dict[str, Any]]:
        """
        Return what a table holds, in the order of its keys.

        Raises:
            DatabaseUnavailableError: the database does not answer, or does not know yet what this process recorded.
        """
        is_ = table_named(table)
        found = list(self._read(table))
        return found if is_.is_document else sorted(found, key=is_.key_of)

    def iterate(self, table: str) -> Iterator[dict[str, Any]]:
        """Yield what a table holds, row by row. Errors of the database are raised as they are."""
        reader = reader_of(table)
        return iter(()) if reader is None else reader(self.account.id, self.recorder.using)

    def close(self) -> None:
        """Take no more records; what is in the journal gets a few seconds to be stored."""
        self.recorder.close()

    def _facts(self, is_: Table, told: list[tuple[Table, dict[str, Any]]]) -> Iterator[Fact]:
        batch = max((record["timestamp"] for of, record in told if of.name == "signals"), default=None)
        found = [one for of, record in told for one in told_of(of, record, batch=batch)]
        if is_.name == "signals":
            found.append(current_rows(is_, [] if batch is None else [batch], timezone.now()))
        return self._proposed(found)

    def _proposed(self, told: list[Told]) -> Iterator[Fact]:
        return (proposed.fact for proposed in proposed_facts(self.account, Entry(0, "", told)))

    def _together(self, told: list[Told]) -> Fact:
        facts = list(self._proposed(told))
        return group_of(facts) if len(facts) > 1 else facts[0]

    def _save_many(self, is_: Table, told: list[tuple[Table, dict[str, Any]]]) -> Written:
        """Save rows that move and belong to no account, batch by batch; then say which are the current ones."""
        at = timezone.now()
        receipt = self.recorder.record_many([told_of(of, record, at=at) for of, record in told], self._together)
        if receipt.rejected:
            raise receipt.rejected[0][1]
        keys = [record[is_.key[0]] for _of, record in told]
        (note,) = self._proposed([current_rows(is_, keys, at)])
        side = _side([self.recorder.record(note)])
        return Written(database=Side.JOURNALED if receipt.journaled or receipt.buffered else side)

    def _remember(self, facts: list[Fact], receipts: list[Receipt]) -> None:
        if len(self._stored) > REMEMBERED_MAX:
            self._stored.clear()
        known = {WriteOutcome.STORED, WriteOutcome.DUPLICATE}
        pairs = zip(facts, receipts, strict=True)
        self._stored |= {(fact.id, fact.digest) for fact, receipt in pairs if receipt.outcome in known}

    def _read(self, table: str) -> list[dict[str, Any]]:
        reader = reader_of(table)
        if reader is None:
            raise ConfigurationError(f"the table {table} is kept in files only")
        self.recorder.settle()
        if self.recorder.backlog:
            raise DatabaseUnavailableError
        found = self.recorder.derive(partial(_rows, reader, self.account.id))
        if found is None:
            raise DatabaseUnavailableError
        return found


def _rows(reader: Reader, account: UUID, alias: str) -> list[dict[str, Any]]:
    return list(reader(account, alias))


def _side(receipts: list[Receipt]) -> Side:
    outcomes = {receipt.outcome for receipt in receipts}
    if outcomes <= {WriteOutcome.STORED, WriteOutcome.DUPLICATE}:
        return Side.STORED if WriteOutcome.STORED in outcomes else Side.DUPLICATE
    return Side.JOURNALED
