"""Record backtest runs: what was run, on which bars, and what came of it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, TypedDict, Unpack
from uuid import UUID

from django.db import IntegrityError
from django.utils import timezone

from friren.accounts import AccountHandle, find_account
from friren.core.choices import Environment
from friren.core.ids import new_id
from friren.errors import InvalidTransitionError, KeyReusedError, RejectedRecordError
from friren.persistence import checks
from friren.persistence.audit import record_change
from friren.persistence.handlers import one_commit
from friren.persistence.receipts import Receipt, WriteOutcome
from friren.persistence.values import checked_values
from trading_engine.models import BacktestResult, BacktestRun
from trading_engine.models.choices import BacktestStatus
from trading_engine.services.base import Service

__all__ = ["BacktestRecorder", "RunDetails", "RunFigures"]

RUN_MOVES: Final = {
    BacktestStatus.PENDING: (BacktestStatus.RUNNING, BacktestStatus.FAILED),
    BacktestStatus.RUNNING: (BacktestStatus.COMPLETED, BacktestStatus.FAILED),
}


# What a run's life changes; the rest is told once.
MOVING: Final = frozenset({"status", "status_message", "finished_at"})


class RunDetails(TypedDict, total=False):
    """What may be told of a run beside its name and range."""

    strategy_name: str | None
    parameters: dict[str, Any] | None
    engine: str | None  # reference unless said
    engine_version: str | None
    code_version: str | None
    data_digest: str | None
    seed: int | None
    user: Any  # id or row of who ran it


class RunFigures(TypedDict, total=False):
    """The figures of a run: ratios, None where undefined."""

    total_return: float
    annualized_return: float | None
    sharpe_ratio: float | None
    sortino_ratio: float | None
    max_drawdown: float
    win_rate: float | None
    profit_factor: float | None
    trade_count: int
    avg_holding_period: float | None  # days
    detailed_metrics: dict[str, Any] | None


RUN_KEYWORDS: Final = frozenset(RunDetails.__annotations__)
FIGURE_KEYWORDS: Final = frozenset(RunFigures.__annotations__)


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
        **details: Unpack[RunDetails],
    ) -> UUID:
        """
        Store a run, PENDING.

        Args:
            account: its book.
            starts_at, ends_at: first and last bar, aware.
            run_id: its id; made when None.
            details: what RunDetails lists.

        Returns:
            The run's id. Starting the same run again changes nothing.

        Raises:
            RejectedRecordError: a value breaks a rule, or the account is no BACKTEST account or has a run.
            KeyReusedError: the id is another run's.
        """
        self.recorder.refuse_closed()
        checks.refuse_unknown(details, known=RUN_KEYWORDS, of="start_run")
        key = new_id() if run_id is None else checks.check_uuid("run_id", run_id)
        book = find_account(account)
        if book.environment != Environment.BACKTEST:
            raise RejectedRecordError("account", book.name, "a run's book is a BACKTEST account")
        values = checked_values(
            BacktestRun, account=book.id, name=name, starts_at=starts_at, ends_at=ends_at, **details
        )
        runs = BacktestRun.objects.using(self.using)
        try:
            with one_commit(self.using):
                runs.bulk_create([BacktestRun(id=key, **values)], ignore_conflicts=True)
        except IntegrityError as exc:
            raise RejectedRecordError("user", details.get("user"), "refers to a row that is not stored") from exc
        told = {name: value for name, value in values.items() if name not in MOVING}
        stored = runs.filter(id=key).values(*told).first()
        if stored is None:
            raise RejectedRecordError("account", book.name, "another run has this account as its book")
        if stored != told:
            raise KeyReusedError("run_id", key, "a run with this id is already stored with other content")
        return key

    def update_run_status(self, run: UUID, status: str, *, message: str | None = None) -> Receipt:
        """
        Move a run to RUNNING, COMPLETED or FAILED. The status it already has is a DUPLICATE.

        Raises:
            InvalidTransitionError: the run's status cannot be followed by this one.
            RejectedRecordError: a value breaks a rule, or the run is not stored.
        """
        self.recorder.refuse_closed()
        with one_commit(self.using):
            return self._move(run, status, message)

    def finish_run(self, run: UUID, **figures: Unpack[RunFigures]) -> Receipt:
        """
        Store a run's figures and move it to COMPLETED, both or neither.

        Args:
            figures: what RunFigures lists.

        Returns:
            STORED, or DUPLICATE when the run has these figures already.

        Raises:
            KeyReusedError: the run has other figures.
            RejectedRecordError, InvalidTransitionError: as for `update_run_status`.
        """
        self.recorder.refuse_closed()
        checks.refuse_unknown(figures, known=FIGURE_KEYWORDS, of="finish_run")
        results = BacktestResult.objects.using(self.using)
        with one_commit(self.using):
            receipt = self._move(run, BacktestStatus.COMPLETED, None)
            account = BacktestRun.objects.using(self.using).values_list("account_id", flat=True).get(id=receipt.id)
            values = checked_values(BacktestResult, account=account, backtest=receipt.id, **figures)
            # The run is locked, so nobody else stores its figures now.
            stored = results.filter(backtest=receipt.id).values(*values).first()
            if stored == values:
                return Receipt(receipt.id, WriteOutcome.DUPLICATE)
            if stored is not None:
                raise KeyReusedError("run", receipt.id, "this run is already finished with other figures")
            BacktestResult(**values).save(using=self.using, force_insert=True)
        return Receipt(receipt.id, WriteOutcome.STORED)

    def _move(self, run: UUID, status: str, message: str | None) -> Receipt:
        key = checks.check_uuid("run", run)
        if status is None:
            raise RejectedRecordError("status", None, "is required")
        try:
            wanted = checked_values(BacktestRun, partial=True, status=status, status_message=message)
        except RejectedRecordError as exc:
            raise exc.named({"status_message": "message"}) from exc
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
