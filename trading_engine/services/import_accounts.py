"""The books that an import goes to: those that are named, or those that its files are about."""

from __future__ import annotations

from decimal import Decimal

from friren.accounts import AccountHandle, find_account, open_account
from friren.core.choices import CostBasis
from friren.core.models import Account
from friren.core.models.accounts import SYSTEM_USERNAME
from friren.errors import ConfigurationError
from trading_engine.data.importers.records import Book

__all__ = ["account_of"]


def account_of(
    book: Book | None,
    *,
    account: str = "",
    environment: str | None = None,
    currency: str = "",
    starting_cash: Decimal | None = None,
    dry_run: bool = False,
) -> AccountHandle:
    """
    Return the books to import to.

    Books of a name that somebody gave must have been opened, unless an environment is given too: a typo must not open
    any. Those of a source are opened as its files tell, and found again by the next import.

    Args:
        book: what the files tell of their books; None where they tell nothing.
        account: name of the books; the source's own if empty.
        environment: in which they are opened if there are none; the source's unless given.
        currency, starting_cash: with which they are opened; the source's unless given.
        dry_run: open nothing.

    Raises:
        ConfigurationError: no such books, none named for files that tell of none, or opened with other settings.
        RejectedRecordError: a value breaks a rule.
    """
    if account and environment is None:
        try:
            return find_account(account)
        except ConfigurationError as exc:
            raise ConfigurationError(f"{exc}, or with --open and an environment") from exc
    name = account or (book.name if book else "")
    if not name:
        raise ConfigurationError("these files do not tell whose trades they hold: name the books with --account")
    told = book or Book(name)
    wanted = {
        "environment": environment or told.environment,
        "base_currency": currency or told.currency,
        "position_mode": str(told.position_mode),
    }
    if dry_run:
        key = Account.id_of(owner=SYSTEM_USERNAME, name=name)
        return AccountHandle(
            id=key, name=name, owner=SYSTEM_USERNAME, cost_basis=str(CostBasis.AVERAGE), timezone="UTC", **wanted
        )
    try:
        return open_account(
            name, starting_cash=told.starting_cash if starting_cash is None else starting_cash, **wanted
        )
    except ConfigurationError:
        if starting_cash is not None or told.starting_cash is None:
            raise
        # Files may work out another beginning by and by; books keep the one that they were opened with.
        return open_account(name, starting_cash=None, **wanted)
