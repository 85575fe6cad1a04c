"""The books of a run: new ones, under a name of their own."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS

from friren.accounts import AccountHandle, find_account, open_account
from friren.core.choices import Environment, PositionMode
from friren.errors import ConfigurationError, RejectedRecordError
from friren.persistence.answers import ask
from trading_engine.models import BacktestRun

__all__ = ["open_run_book", "run_name"]

NAME_LENGTH_MAX: Final = 100


def run_name(what: str, symbols: Sequence[str], run_id: UUID) -> str:
    """Return the name of the books of a run: `<what>-<symbols>-<run id>`."""
    # Many symbols do not fit into a name; the parameters of the run have them all.
    told = f"{what}-{'+'.join(symbols)}"
    return f"{told[: NAME_LENGTH_MAX - len(str(run_id)) - 1]}-{run_id}"


def open_run_book(
    name: str, *, starting_cash: Decimal, currency: str, position_mode: str = PositionMode.NETTING
) -> AccountHandle:
    """
    Open the books of a run. Whether they have a run already is asked of the database, when the run is started.

    Raises:
        RejectedRecordError: books of this name were opened before, and the database is away: two runs in one book
            would spoil both.
    """
    if _was_opened(name):
        runs = ask(("runs of", name), lambda alias: _runs_of(name, alias), using=DEFAULT_DB_ALIAS)
        if runs.stale:
            rule = "must be new while the database is away, which alone knows whether these books have a run"
            raise RejectedRecordError("account", name, rule)
    return open_account(
        name,
        environment=Environment.BACKTEST,
        starting_cash=starting_cash,
        base_currency=currency,
        position_mode=position_mode,
    )


def _was_opened(name: str) -> bool:
    try:
        find_account(name)
    except ConfigurationError:
        return False
    return True


def _runs_of(name: str, alias: str) -> list[object]:
    return list(BacktestRun.objects.using(alias).filter(account__name=name).values_list("id", flat=True))
