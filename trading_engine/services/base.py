"""What all services share: an account, a recorder, and an orderly end."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self
from uuid import UUID

from django.db import models

from friren.accounts import AccountHandle, find_account
from friren.core.models import Account
from friren.persistence.facts import Fact, make_fact
from friren.persistence.receipts import Receipt
from friren.persistence.recorder import Recorder

__all__ = ["AccountService", "Service"]


class Service:
    """
    A logger. Close it, or use it as a context manager, when the work is done.

    Args:
        mode: "direct": every call commits.
    """

    def __init__(self, *, mode: str = "direct", using: str = "default") -> None:
        self.recorder = Recorder(mode=mode, using=using)

    @property
    def using(self) -> str:
        """The alias of the database."""
        return self.recorder.using

    def flush(self, timeout: float = 5.0) -> bool:
        """Return whether everything this service recorded is stored within `timeout` seconds."""
        return self.recorder.flush(timeout)

    def close(self) -> None:
        """Take no more records. Safe to call twice."""
        self.recorder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _record(self, model: type[models.Model], *, id: UUID | None = None, **values: Any) -> Receipt:  # noqa: A002
        return self.recorder.record(make_fact(model, id=id, **values))


class AccountService(Service):
    """
    A logger for one account's books.

    Args:
        account: a handle of `friren.open_account`, or the name of books that were opened; None for `default`.

    Raises:
        ConfigurationError: no books of that name were opened.
    """

    def __init__(
        self,
        account: AccountHandle | Account | UUID | str | None = None,
        *,
        mode: str = "direct",
        using: str = "default",
    ) -> None:
        super().__init__(mode=mode, using=using)
        self.account = find_account(account)

    def _fact(self, model: type[models.Model], *, id: UUID | None = None, **values: Any) -> Fact:  # noqa: A002
        return make_fact(model, id=id, account=self.account.id, **values)
