"""Book what is not booked yet: the one way by which stored facts get into the books."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from friren.errors import RejectedRecordError
from friren.persistence.handlers import one_commit
from portfolio_manager.accounting import Dividend, Resolution, Split, cash_entry
from portfolio_manager.booking.changes import Changes, save, write
from portfolio_manager.booking.database import pipelined, query
from portfolio_manager.booking.refold import refold
from portfolio_manager.booking.rows import CASH, cash_of
from portfolio_manager.booking.state import Group, Locked, Moment, Pending, last_seq, open_books

__all__ = ["book", "booking", "catch_up"]

log = logging.getLogger(__name__)

# Fewer are looked through in a few milliseconds, and the bookings to come take the horizon past them.
PASSED_AT_ONCE: Final = 100


@contextmanager
def booking(using: str) -> Iterator[int]:
    """
    Open the transaction in which facts are stored and booked together; yields the number to give to `book`.

    Raises:
        RuntimeError: inside an open transaction, whose rollback could undo what was reported as booked.
    """
    with one_commit(using):
        yield last_seq(using)


def catch_up(account: UUID, *, using: str = "default") -> int:
    """Book what is not booked yet of an account, in a transaction of its own, and return how much it was."""
    with booking(using) as seen_seq:
        found = len(book(account, seen_seq=seen_seq, using=using)[1])
    if found > PASSED_AT_ONCE:
        # The next booking takes the horizon past them all; until then every look at the books would look at each.
        with booking(using) as seen_seq:
            book(account, seen_seq=seen_seq, using=using)
    return found


def book(account: UUID, *, seen_seq: int, using: str, wanted: UUID | None = None) -> tuple[Locked, list[Pending]]:
    """
    Lock the books of an account, bring them up to date, and return them with what was new.

    An instrument whose sums the books cannot hold is left as it stands and logged (`Locked.stuck`): it must not keep
    the others from being booked.

    Args:
        account: its id.
        seen_seq: from `booking`, which the caller has opened.
        using: alias of the database.
        wanted: the fact for whose sake it is done.

    Raises:
        RejectedRecordError: there is no such account, or the books cannot hold what `wanted` makes of them.
    """
    books, pending = open_books(account, seen_seq=seen_seq, using=using)
    with pipelined(using):
        if pending:
            _book_cash(books, [one for one in pending if one.kind == "cash"])
            _book_groups(books, [one for one in pending if one.kind != "cash"], wanted)
        if books.stuck:
            books.stay()
        save(books)
    return books, pending


def _book_cash(books: Locked, pending: list[Pending]) -> None:
    if not pending:
        return
    ids = {"account": books.account, "ids": [one.id for one in pending]}
    movements = query(books.using, CASH + "AND c.id = ANY(%(ids)s)", ids)
    write(books, Changes(entries=[cash_entry(cash_of(row), books.base_currency) for row in movements]))


def _book_groups(books: Locked, pending: list[Pending], wanted: UUID | None) -> None:
    """
    Refold every group that something new belongs to, from the first new thing on.

    An action or resolution found on the way may have been stored only now: it is as new to the other
    strategies that hold its instrument, so they follow.
    """
    work = _Work(books)
    for one in pending:
        if one.kind in {"trade", "bust"}:
            work.concerns(one.group, one.moment, one.id)
        else:
            work.follow(one.id, one.moment, one.group.symbol, one.group.market)
    while work.starts:
        group, moment = work.starts.popitem()
        try:
            events = refold(books, group, moment)
        except RejectedRecordError as exc:
            # Raised by the arithmetic, before anything of the group was written.
            if wanted in work.causes[group]:
                raise
            log.error("account %s: the books cannot take in %s: %s", books.account, group, exc)  # noqa: TRY400 - said in full
            books.stuck.append(group)
            continue
        for fact in events:
            work.follow(fact.id, (fact.at, fact.id), *_instrument_of(fact))


class _Work:
    """
    The groups that are still to be refolded.

    Attributes:
        starts: from where on, by group.
        causes: the new facts that each group was refolded for.
    """

    def __init__(self, books: Locked) -> None:
        self.starts: dict[Group, Moment] = {}
        self.causes: dict[Group, set[UUID]] = {}
        self._books = books
        self._followed: set[UUID] = set()

    def concerns(self, group: Group, moment: Moment, cause: UUID) -> None:
        """Have a group refolded from a moment on."""
        self.starts[group] = min(moment, self.starts.get(group, moment))
        self.causes.setdefault(group, set()).add(cause)

    def follow(self, fact: UUID, moment: Moment, symbol: int | None, market: str | None) -> None:
        """Have every group of an instrument refolded for a corporate action or resolution, once."""
        if fact not in self._followed:
            self._followed.add(fact)
            for group in _groups_of(self._books, symbol, market):
                self.concerns(group, moment, fact)


def _instrument_of(fact: Split | Dividend | Resolution) -> tuple[int | None, str | None]:
    if isinstance(fact, Resolution):
        return None, str(fact.market)
    return int(fact.symbol), None


def _groups_of(books: Locked, symbol: int | None, market: str | None) -> list[Group]:
    column = "market_id" if symbol is None else "symbol_id"
    rows = query(
        books.using,
        "SELECT DISTINCT instrument_type, symbol_id, market_id, strategy_used FROM {Position} "
        f"WHERE account_id = %(account)s AND {column} = %(instrument)s",
        {"account": books.account, "instrument": market if symbol is None else symbol},
    )
    return [Group(*row) for row in rows]
