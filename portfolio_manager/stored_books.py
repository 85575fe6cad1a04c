"""The books that a run leaves behind, held against what it traded on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Protocol

from django.db import DatabaseError, connections

from friren.accounts import AccountHandle
from friren.core.numbers import plain
from friren.errors import DatabaseUnavailableError, FrirenError
from friren.persistence.recorder import Recorder
from friren.persistence.retry import Phase, Verdict, judge
from portfolio_manager.stored_equity import stored_equity
from portfolio_manager.trading_book import TradingBook

__all__ = ["Traded", "check_stored_books"]

log = logging.getLogger(__name__)

ATTEMPTS: Final = 2


class Traded(Protocol):
    """Who traded: a fold in memory, the last close by symbol, and how to mark what is stored."""

    @property
    def book(self) -> TradingBook:
        """The fold that was traded on."""

    @property
    def closes(self) -> Mapping[str, Decimal]:
        """Last close by symbol."""

    def mark_stored(self, *, using: str) -> None:
        """Book what was stored, and mark the stored positions at the last closes."""


def check_stored_books(account: AccountHandle, cycle: Traded, recorder: Recorder) -> bool:
    """
    Wait until everything is stored, book it, mark it, and compare it with the fold of `cycle`.

    Returns:
        Whether that could be done; False while the database is away. The records are in the journal then, and whoever
        next touches the books books them.

    Raises:
        FrirenError: the stored books are not worth what the cycle traded on, to the last digit.
    """
    stored = _stored_equity(account, cycle, recorder) if recorder.drained() else None
    if stored is None:
        return False
    traded = cycle.book.equity()
    if stored != traded:
        raise FrirenError(
            f"the stored books of {account.name} are worth {plain(stored)}, those that were traded on"
            f" {plain(traded)}; `rebuild_positions --check --account` names the difference"
        )
    return True


def _stored_equity(account: AccountHandle, cycle: Traded, recorder: Recorder) -> Decimal | None:
    """Book and mark what is stored, and return what it is worth; None while the database is away."""
    for _attempt in range(ATTEMPTS):
        try:
            with recorder.step("booking a run") as alias:
                cycle.mark_stored(using=alias)
            return stored_equity(account, cycle.closes)
        except DatabaseUnavailableError as exc:
            log.warning("the books of %s cannot be compared: %s", account.name, exc)
        except DatabaseError as exc:
            if judge(exc, Phase.STATEMENT).verdict is Verdict.REFUSE:
                raise
            # Django does not take a new connection by itself; the old one may have broken long ago.
            connections[recorder.using].close()
            log.warning("the books of %s cannot be compared: %s", account.name, exc)
    return None
