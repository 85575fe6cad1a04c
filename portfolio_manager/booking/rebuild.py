"""Fold an account's facts from the first one on, and compare or replace what is stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from friren.core.choices import AuditAction
from friren.core.models import Account
from friren.errors import FrirenError
from friren.persistence.audit import record_operation
from portfolio_manager.accounting import Entry, cash_entry
from portfolio_manager.booking.books import book
from portfolio_manager.booking.changes import Changes, save, write
from portfolio_manager.booking.database import execute, query
from portfolio_manager.booking.refold import differences, fold_group
from portfolio_manager.booking.rows import CASH, ENTRY_COLUMNS, cash_of, entry_of
from portfolio_manager.booking.state import EARLIEST, Group, Locked, find_pending, last_seq
from portfolio_manager.booking.stored import group_condition, group_parameters
from portfolio_manager.booking.sums import stored_sums
from portfolio_manager.booking.whole import whole_books

__all__ = ["Difference", "Rebuilt", "rebuild_account"]

# Facts that arrive while a book is compared make another round; a book this busy has to be compared later.
ROUNDS_MAX: Final = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """
    A row of the books that is not what the facts say.

    Attributes:
        table: position, position_fill, ledger_entry or account_state.
        id: of the row.
        what: "missing", "extra", or the fields that differ with what is stored and what should be.
    """

    table: str
    id: UUID
    what: str


@dataclasses.dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild found: how many positions there are, and every row that differed."""

    positions: int
    differences: tuple[Difference, ...]


def rebuild_account(account: UUID, *, check: bool, using: str = "default") -> Rebuilt:
    """
    Refold the books of an account from its facts, one group at a time.

    Args:
        account: its id.
        check: compare only. What is not booked yet is booked all the same, as any look at the books does.
        using: alias of the database.

    Raises:
        FrirenError: facts kept arriving while the books were compared.
    """
    with transaction.atomic(using=using, durable=True):
        seen_seq = last_seq(using)
        # The whole history of an account may take longer than a trade may.
        execute(using, "SET LOCAL statement_timeout = 0", ())
        books, _ = book(account, seen_seq=seen_seq, using=using)
        for _ in range(ROUNDS_MAX):
            with whole_books(using) as archived:
                found = _compare(books)
                (positions,) = query(using, "SELECT count(*) FROM {Position} p WHERE account_id = %s", (account,))
            if not find_pending(books):
                break
            books, _ = book(account, seen_seq=seen_seq, using=using)
        else:
            raise FrirenError("facts keep arriving faster than the books can be compared; try again later")
        report = [difference for changes in found for difference in _report(changes)]
        if report and not check:
            if archived:
                found = _compare(books)
                _refuse_archived(report, found)
            for changes in found:
                write(books, changes)
        report += _compare_sums(books, fix=not check)
        if report and not check:
            record_operation(
                AuditAction.UPDATE, source="rebuild", model_label=Account._meta.label, object_pk=str(account),
                after={"replaced": len(report), "first": f"{report[0].table} {report[0].id}: {report[0].what}"},
                account=account, using=using,
            )  # fmt: skip
        return Rebuilt(positions[0], tuple(report))


def _compare(books: Locked) -> list[Changes]:
    return [*(_compare_group(books, group) for group in _groups(books)), _compare_cash(books)]


def _refuse_archived(report: Sequence[Difference], found: Iterable[Changes]) -> None:
    """Refuse to put right what lies in the archive: its rows stay as they are while they are there."""
    own = {difference for changes in found for difference in _report(changes)}
    beyond = [difference for difference in report if difference not in own]
    if beyond:
        raise FrirenError(
            f"{len(beyond)} rows of the archive are not what their facts say, {beyond[0].table} {beyond[0].id} the "
            "first: bring them back with `manage.py unarchive --model Position`, then do it again"
        )


def _groups(books: Locked) -> list[Group]:
    columns = "instrument_type, symbol_id, market_id, strategy_used"
    rows = query(
        books.using,
        f"SELECT {columns} FROM {{Trade}} t WHERE account_id = %(account)s "
        f"UNION SELECT {columns} FROM {{Position}} p WHERE account_id = %(account)s",
        {"account": books.account},
    )
    return [Group(*row) for row in rows]


_CASH_OF_GROUP: Final = (
    "SELECT " + ", ".join(f"l.{column}" for column in ENTRY_COLUMNS) + " FROM {LedgerEntry} l "
    "JOIN {Trade} t ON t.id = l.trade_id "
    "WHERE l.account_id = %(account)s AND l.position_id IS NULL AND t.account_id = %(account)s AND "
)


def _compare_group(books: Locked, group: Group) -> Changes:
    folded = fold_group(books, group, EARLIEST)
    changes = differences(folded)
    changes.undone_trades = []  # the comparison below finds their entries
    rows = query(
        books.using, _CASH_OF_GROUP + group_condition(group, "t"), group_parameters(books.account, group, EARLIEST)
    )
    wanted = [line for line in folded.wanted.entries if line.position is None]
    _compare_entries(changes, map(entry_of, rows), wanted)
    return changes


def _compare_cash(books: Locked) -> Changes:
    changes = Changes()
    columns = ", ".join(ENTRY_COLUMNS)
    rows = query(
        books.using,
        f"SELECT {columns} FROM {{LedgerEntry}} l WHERE account_id = %s AND cash_movement_id IS NOT NULL",
        (books.account,),
    )
    movements = query(books.using, CASH, {"account": books.account})
    wanted = [cash_entry(cash_of(row), books.base_currency) for row in movements]
    _compare_entries(changes, map(entry_of, rows), wanted)
    return changes


def _compare_entries(changes: Changes, stored: Iterable[Entry], wanted: Sequence[Entry]) -> None:
    there = {line.id: line for line in stored}
    for line in wanted:
        before = there.pop(line.id, None)
        if before != line:
            changes.entries.append(line)
            if before is not None:
                changes.replaced_entries.append(before)
    changes.lost_entries += there.values()


def _compare_sums(books: Locked, *, fix: bool) -> list[Difference]:
    """Compare the account's own row with the sums of the rows it sums."""
    wanted = stored_sums(books)
    wrong = {
        name: f"{name} {_text(getattr(books, name))} should be {_text(value)}"
        for name, value in wanted.items()
        if getattr(books, name) != value
    }
    if fix:
        for name, value in wanted.items():
            setattr(books, name, value)
        save(books)
    return [Difference("account_state", books.account, "; ".join(wrong.values()))] if wrong else []


def _report(changes: Changes) -> list[Difference]:
    found = []
    for stored, position in changes.positions:
        row = position or (stored.state if stored else None)
        assert row is not None
        found.append(Difference("position", row.id, _what(stored.state if stored else None, position)))
    found += [Difference("position_fill", leg.id, _what(changes.old_legs.get(leg.id), leg)) for leg in changes.legs]
    found += [Difference("position_fill", key, "extra") for key in changes.lost_legs]
    replaced = {line.id: line for line in changes.replaced_entries}
    found += [Difference("ledger_entry", line.id, _what(replaced.get(line.id), line)) for line in changes.entries]
    found += [Difference("ledger_entry", line.id, "extra") for line in changes.lost_entries]
    return found


def _what(stored: Any, wanted: Any) -> str:
    if stored is None or wanted is None:
        return "missing" if stored is None else "extra"
    return "; ".join(
        f"{name} {_text(getattr(stored, name))} should be {_text(getattr(wanted, name))}"
        for name in stored.__struct_fields__
        if name != "lots" and getattr(stored, name) != getattr(wanted, name)
    )


def _text(value: Any) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
