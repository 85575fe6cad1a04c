"""Book what is not booked yet: the one way by which stored facts get into the books."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from friren.persistence.handlers import one_commit
from portfolio_manager.accounting import Dividend, Resolution, Split, cash_entry
from portfolio_manager.booking.changes import Changes, save, write
from portfolio_manager.booking.database import pipelined, query
from portfolio_manager.booking.refold import refold
from portfolio_manager.booking.rows import CASH, cash_of
from portfolio_manager.booking.state import Group, Locked, Moment, Pending, last_seq, open_books

__all__ = ["book", "booking", "catch_up"]


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
        return len(book(account, seen_seq=seen_seq, using=using)[1])


def book(account: UUID, *, seen_seq: int, using: str) -> tuple[Locked, list[Pending]]:
    """
    Lock the books of an account, bring them up to date, and return them with what was new.

    Args:
        account: its id.
        seen_seq: from `booking`, which the caller has opened.
        using: alias of the database.

    Raises:
        RejectedRecordError: there is no such account, or a sum would reach 1e20.
    """
    books, pending = open_books(account, seen_seq=seen_seq, using=using)
    with pipelined(using):
        if pending:
            _book_cash(books, [one for one in pending if one.kind == "cash"])
            _book_groups(books, [one for one in pending if one.kind != "cash"])
        save(books)
    return books, pending


def _book_cash(books: Locked, pending: list[Pending]) -> None:
    if not pending:
        return
    ids = {"account": books.account, "ids": [one.id for one in pending]}
    movements = query(books.using, CASH + "AND c.id = ANY(%(ids)s)", ids)
    write(books, Changes(entries=[cash_entry(cash_of(row), books.base_currency) for row in movements]))


def _book_groups(books: Locked, pending: list[Pending]) -> None:
    """
    Refold every group that something new belongs to, from the first new thing on.

    An action or resolution found on the way may have been stored only now: it is as new to the other
    strategies that hold its instrument, so they follow.
    """
    starts: dict[Group, Moment] = {}
    followed: set[UUID] = set()

    def concerns(group: Group, moment: Moment) -> None:
        starts[group] = min(moment, starts.get(group, moment))

    def follow(fact: UUID, moment: Moment, symbol: int | None, market: str | None) -> None:
        if fact not in followed:
            followed.add(fact)
            for group in _groups_of(books, symbol, market):
                concerns(group, moment)

    for one in pending:
        if one.kind in {"trade", "bust"}:
            concerns(one.group, one.moment)
        else:
            follow(one.id, one.moment, one.group.symbol, one.group.market)
    while starts:
        group, moment = starts.popitem()
        for fact in refold(books, group, moment):
            follow(fact.id, (fact.at, fact.id), *_instrument_of(fact))


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
