"""Hold a statement against the book of an account, keep what differs, and adopt what the book lacks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from friren.accounts import AccountHandle
from friren.core.ids import new_id
from friren.persistence.archived_reads import with_archive
from friren.persistence.recorder import Recorder
from portfolio_manager.booking import catch_up
from portfolio_manager.booking.reads import is_pending
from portfolio_manager.models import CashMovement, ReconciliationBreak
from portfolio_manager.models.choices import BreakResolution
from portfolio_manager.reconciliation.breaks import keep_breaks, resolve
from portfolio_manager.reconciliation.comparing import compare_balances, compare_fills, compare_movements
from portfolio_manager.reconciliation.fills import is_derived
from portfolio_manager.reconciliation.statements import Statement, StatementFact, entries_with, renamed
from trading_engine.data.importers.parsed import Issue
from trading_engine.data.importers.records import SourceFile
from trading_engine.models import Trade
from trading_engine.services.data_imports import ImportedFile, import_file

__all__ = ["TIME_TOLERANCE", "Reconciled", "reconcile"]

# Venues cut times to the second; a bot notes when it heard of the fill.
TIME_TOLERANCE: Final = dt.timedelta(seconds=1)
ADOPTED_NOTE: Final = "recorded from the statement"
AGREED_NOTE: Final = "a later statement agrees"
MOVED_NOTE: Final = "differs otherwise now: see the newer break"


@dataclass(slots=True)
class Reconciled:
    """
    What a reconciliation found.

    Attributes:
        fills, positions, currencies: how many the statement tells of.
        matched: fills that both have.
        found: the breaks, those that were adopted among them.
        adopted: of them, those recorded now.
        corrected: breaks of earlier statements that this one shows to be gone.
        issues: records of the statement that cannot be read.
        recorded: what became of the records that were to be adopted; None when nothing was.
    """

    fills: int
    positions: int
    currencies: int
    matched: int = 0
    found: list[ReconciliationBreak] = field(default_factory=list)
    adopted: int = 0
    corrected: int = 0
    issues: list[Issue] = field(default_factory=list)
    recorded: ImportedFile | None = None

    def count(self, kind: str) -> int:
        """Return how many breaks are of a kind."""
        return sum(one.kind == kind for one in self.found)

    @property
    def open(self) -> int:
        """How many of them are not resolved."""
        return sum(one.resolved_at is None for one in self.found)


def reconcile(
    statement: Statement, *, account: AccountHandle, adopt: bool = False, tolerance: dt.timedelta = TIME_TOLERANCE
) -> Reconciled:
    """
    Compare a statement with the book and keep every difference as a break; done again it adds none.

    Fills are compared first, and with `adopt` those that the book lacks are recorded, as an import records them. Then
    positions and cash are, so that what followed from a missing fill is gone with it.

    Args:
        tolerance: how far apart the times of a fill may be. Money and quantities are exact.

    Raises:
        DatabaseUnavailableError: the database cannot do it now.
    """
    report = Reconciled(
        len(statement.fills), len(statement.positions or ()), len(statement.cash or ()), issues=statement.issues
    )
    run, name = new_id(), statement.path.name
    fills = compare_fills(statement, account.id, tolerance)
    movements = compare_movements(statement, account.id)
    report.matched = fills.matched
    differing = [*fills.found, *movements.found]
    known = keep_breaks(differing, account=account.id, run=run, statement=name)
    missing = {
        row.pk: one.missing
        for row, one in zip(known, differing, strict=True)
        if one.missing is not None and row.resolved_at is None
    }
    if adopt and missing:
        missing = _with_free_ids(missing, account)
        report.recorded = _record(statement, account, list(missing.values()))
        report.adopted = _adopted(known, missing, account.id)
    if is_pending(account.id, using="default"):
        catch_up(account.id)
    balances = compare_balances(statement, account.id)
    known += keep_breaks(balances.found, account=account.id, run=run, statement=name)
    agreed = fills.agreed | movements.agreed | balances.agreed
    report.corrected = _close_gone(account.id, known, agreed, balances.whole)
    rows = ReconciliationBreak.objects.in_bulk([row.pk for row in known])
    report.found = [rows[row.pk] for row in known]
    return report


def _with_free_ids(missing: Mapping[UUID, StatementFact], account: AccountHandle) -> dict[UUID, StatementFact]:
    """
    Return the facts to be recorded, each under an id that is free.

    Where a statement has no ids its reader numbers the fills of a symbol and moment. The book may hold another of
    them under that number.
    """
    found: dict[UUID, StatementFact] = {}
    taken: set[UUID] = set()
    for row, one in missing.items():
        free, name = one, one.fact.values["external_id"]
        stem, _, number = name.rpartition(":")
        if is_derived(name):
            while free.fact.id in taken or with_archive(Trade.objects.filter(id=free.fact.id)).exists():
                number = str(int(number) + 1)
                free = renamed(one, account, f"{stem}:{number}")
        taken.add(free.fact.id)
        found[row] = free
    return found


def _record(statement: Statement, account: AccountHandle, facts: Sequence[StatementFact]) -> ImportedFile:
    file = SourceFile(statement.path, lambda _file: entries_with(facts))
    recorder = Recorder()
    try:
        return import_file(file, account=account, recorder=recorder)
    finally:
        recorder.close()


def _adopted(rows: Sequence[ReconciliationBreak], missing: Mapping[UUID, StatementFact], account: UUID) -> int:
    """Resolve the breaks whose facts are in the book now; what was refused stays open."""
    ids = [one.fact.id for one in missing.values()]
    trades = set(Trade.objects.filter(account=account, id__in=ids).values_list("id", flat=True))
    cash = set(CashMovement.objects.filter(account=account, id__in=ids).values_list("id", flat=True))
    wanted = {row.pk: missing[row.pk].fact.id for row in rows if row.pk in missing}
    done = [row for row in rows if wanted.get(row.pk) in trades | cash]
    found = {key: fact for key, fact in wanted.items() if fact in trades}
    resolve(done, BreakResolution.ADOPTED, trades=found, note=ADOPTED_NOTE)
    return len(done)


def _close_gone(account: UUID, known: Sequence[ReconciliationBreak], agreed: set[str], whole: tuple[str, ...]) -> int:
    """Resolve older breaks that the statement speaks of and does not show; return how many agree by now."""
    told = {row.payload["subject"]: set[str]() for row in known}
    for row in known:
        told[row.payload["subject"]].add(row.field)
    older = ReconciliationBreak.objects.open().filter(account=account).exclude(id__in=[row.pk for row in known])
    gone, moved = [], []
    for row in older:
        subject = row.payload["subject"]
        if row.field in told.get(subject, ()):
            moved.append(row)
        elif subject in agreed or subject in told or subject.partition(":")[0] in whole:
            gone.append(row)
    resolve(gone, BreakResolution.CORRECTED, note=AGREED_NOTE)
    resolve(moved, BreakResolution.CORRECTED, note=MOVED_NOTE)
    return len(gone)
