"""Record backtest runs: what was run, on which bars, and what came of it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from friren.accounts import AccountHandle, find_account
from friren.core.choices import Environment
from friren.core.ids import new_id
from friren.errors import InvalidTransitionError, RejectedRecordError
from friren.persistence import checks
from friren.persistence.audit import record_change
from friren.persistence.receipts import Receipt, WriteOutcome
from friren.persistence.values import checked_values
from trading_engine.models import BacktestResult, BacktestRun
from trading_engine.models.choices import BacktestStatus
from trading_engine.services.base import Service

__all__ = ["BacktestRecorder"]

RUN_MOVES: Final = {
    BacktestStatus.PENDING: (BacktestStatus.RUNNING, BacktestStatus.FAILED),
    BacktestStatus.RUNNING: (BacktestStatus.COMPLETED, BacktestStatus.FAILED),
}


class BacktestRecorder(Service):
    """Records runs and their figures. A run's book is an account of its own, environment BACKTEST."""

    def start_run(
        self,
        account: AccountHandle | UUID | str,
        *,
        name: str,
        starts_at: dt.datetime,
        ends_at: dt.datetime,
        run_id: UUID | None = None,
        **details: Any,
    ) -> UUID:
        """
        Store a run, PENDING.

        Args:
            account: its book.
            starts_at, ends_at: first and last bar, aware.
            run_id: its id; made when None.
            details: strategy_name, parameters (JSON), engine, engine_version, code_version, data_digest, seed, user.

        Returns:
            The run's id.

        Raises:
            RejectedRecordError: a value breaks a rule, or the account is no BACKTEST account or has a run.
        """
        book = find_account(account)
        if book.environment != Environment.BACKTEST:
            raise RejectedRecordError("account", book.name, "a run's book is a BACKTEST account")
        values = checked_values(
            BacktestRun, account=book.id, name=name, starts_at=starts_at, ends_at=ends_at, **details
        )
        runs = BacktestRun.objects.using(self.using)
        run = BacktestRun(id=run_id or new_id(), **values)
        with transaction.atomic(using=self.using, durable=True):
            runs.bulk_create([run], ignore_conflicts=True)
            if not runs.filter(id=run.id, account_id=book.id).exists():
                raise RejectedRecordError("account", book.name, "another run has this account as its book")
        return run.id

    def update_run_status(self, run: UUID, status: str, *, message: str | None = None) -> Receipt:
        """
        Move a run to RUNNING, COMPLETED or FAILED. The status it already has is a DUPLICATE.

        Raises:
            InvalidTransitionError: the run's status cannot be followed by this one.
            RejectedRecordError: a value breaks a rule, or the run is not stored.
        """
        with transaction.atomic(using=self.using, durable=True):
            return self._move(run, status, message)

    def finish_run(self, run: UUID, **figures: Any) -> Receipt:
        """
        Store a run's figures and move it to COMPLETED, both or neither.

        Args:
            figures: total_return, annualized_return, sharpe_ratio, sortino_ratio, max_drawdown, win_rate,
                profit_factor (ratios, None where undefined), trade_count, avg_holding_period (days),
                detailed_metrics (JSON).

        Raises:
            RejectedRecordError, InvalidTransitionError: as for `update_run_status`.
        """
        with transaction.atomic(using=self.using, durable=True):
            receipt = self._move(run, BacktestStatus.COMPLETED, None)
            if receipt.outcome is WriteOutcome.STORED:
                account = BacktestRun.objects.using(self.using).values_list("account_id", flat=True).get(id=run)
                values = checked_values(BacktestResult, account=account, backtest=run, **figures)
                BacktestResult(**values).save(using=self.using, force_insert=True)
        return receipt

    def _move(self, run: UUID, status: str, message: str | None) -> Receipt:
        key = checks.check_uuid("run", run)
        wanted = checked_values(BacktestRun, partial=True, status=status, status_message=message)
        row = BacktestRun.objects.using(self.using).select_for_update(no_key=True).filter(id=key).first()
        if row is None:
            raise RejectedRecordError("run", key, "is not stored")
        if row.status == wanted["status"]:
            return Receipt(key, WriteOutcome.DUPLICATE)
        following = RUN_MOVES.get(BacktestStatus(row.status), ())
        if wanted["status"] not in following:
            raise InvalidTransitionError(
                "status", status, f"{', '.join(following) or 'nothing'} can follow {row.status}"
            )
        if not RUN_MOVES.get(BacktestStatus(wanted["status"])):
            wanted["finished_at"] = timezone.now()
        BacktestRun.objects.using(self.using).filter(id=key).update(**wanted)
        before = {name: getattr(row, name) for name in wanted}
        record_change(row, before=before, after=wanted, account=row.account_id, using=self.using)
        return Receipt(key, WriteOutcome.STORED)
