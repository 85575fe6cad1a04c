"""What all services share: an account, a recorder, and an orderly end."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from django.db import models

from friren.accounts import AccountHandle, find_account
from friren.core.models import Account
from friren.errors import RejectedRecordError
from friren.persistence.call_times import time_reads, timed
from friren.persistence.facts import Fact, make_fact
from friren.persistence.receipts import Receipt
from friren.persistence.recorder import Recorder
from friren.persistence.twins import add_twins
from trading_engine.trade_facts import fill_fact

__all__ = ["AccountService", "Service"]


class Service:
    """
    A logger. Close it, or use it as a context manager, when the work is done.

    Every public method has an async twin with the `a` prefix, as Django names them.

    Args:
        mode: "direct": every call commits, or goes to the journal while the database does not answer in time.
            "journal": every call appends to this machine's journal, from where it is stored in the background.
        using: alias of the database.
        durability: what a journaled record survives: "sync" a power cut, "os" the end of the process; by the
            kind of record unless given.
    """

    def __init__(self, *, mode: str = "direct", using: str = "default", durability: str | None = None) -> None:
        self.recorder = Recorder(mode=mode, using=using, durability=durability)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        time_reads(cls)
        add_twins(cls)

    @property
    def using(self) -> str:
        """The alias of the database."""
        return self.recorder.using

    @timed
    def flush(self, timeout: float = 5.0) -> bool:
        """Return whether everything this service recorded is stored within `timeout` seconds."""
        return self.recorder.flush(timeout)

    def close(self) -> None:
        """Take no more records; what is in the journal gets a few seconds to be stored. Safe to call twice."""
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
        durability: str | None = None,
    ) -> None:
        super().__init__(mode=mode, using=using, durability=durability)
        self.account = find_account(account)

    def _fact(self, model: type[models.Model], *, id: UUID | None = None, **values: Any) -> Fact:  # noqa: A002
        return make_fact(model, id=id, account=self.account.id, **values)

    def _fill(self, told: Mapping[str, Any]) -> Fact:
        """Return the fact of a fill; what is refused is kept on the `rejected` shelf, for the fill did happen."""
        try:
            return fill_fact(self.account, told)
        except RejectedRecordError as exc:
            self.recorder.keep_rejected("trade", {"account": self.account.id, **told}, exc)
            raise


add_twins(Service)
