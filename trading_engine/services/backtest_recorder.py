"""Record backtest runs: what was run, on which bars, and what came of it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, TypedDict, Unpack
from uuid import UUID

from django.utils import timezone

from friren.accounts import AccountHandle, find_account
from friren.core.choices import Environment
from friren.core.ids import new_id
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import Fact, spec_of
from friren.persistence.receipts import Receipt
from trading_engine.models import BacktestResult, BacktestRun
from trading_engine.models.choices import BacktestStatus
from trading_engine.pairs.keys import pair_key
from trading_engine.run_records import BACKTEST_RUN, BACKTEST_STEP, FIGURES
from trading_engine.services.base import Service

__all__ = ["BacktestRecorder", "RunDetails", "RunFigures"]


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
    pairs: list[Any] | None  # that it traded, each two symbols or a row


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
    ) -> Receipt:
        """
        Store a run, PENDING.

        Args:
            account: its book.
            starts_at, ends_at: first and last bar, aware.
            run_id: its id; made when None.
            details: what RunDetails lists.

        Returns:
            The outcome, with the run's id. Starting the same run again is a DUPLICATE.

        Raises:
            RejectedRecordError: a value breaks a rule, or the account is no BACKTEST account or has a run.
            KeyReusedError: the id is another run's.
        """
        checks.refuse_unknown(details, known=RUN_KEYWORDS, of="start_run")
        key = new_id() if run_id is None else checks.check_uuid("run_id", run_id)
        book = find_account(account)
        if book.environment != Environment.BACKTEST:
            raise RejectedRecordError("account", book.name, "a run's book is a BACKTEST account")
        pairs = _pair_keys(details.pop("pairs", None))
        told = {"account": book.id, "name": name, "starts_at": starts_at, "ends_at": ends_at, **details}
        values = spec_of(BacktestRun).checked(told) | ({"pairs": pairs} if pairs else {})
        return self.recorder.record(Fact(kind=BACKTEST_RUN, id=key, values=values))

    def update_run_status(
        self, run: Any, status: str, *, message: str | None = None, timestamp: dt.datetime | None = None
    ) -> Receipt:
        """
        Move a run to RUNNING, COMPLETED or FAILED. The status it already has is a DUPLICATE.

        Args:
            run: id, receipt or row.
            timestamp: when, aware; now unless given.

        Raises:
            InvalidTransitionError: the run's status cannot be followed by this one.
            RejectedRecordError: a value breaks a rule, or the run is not stored.
        """
        return self._step(run, status, message, timestamp)

    def finish_run(self, run: Any, *, timestamp: dt.datetime | None = None, **figures: Unpack[RunFigures]) -> Receipt:
        """
        Store a run's figures and move it to COMPLETED, both or neither.

        Args:
            run: id, receipt or row.
            timestamp: when it ended, aware; now unless given.
            figures: what RunFigures lists.

        Returns:
            STORED, or DUPLICATE when the run has these figures already.

        Raises:
            KeyReusedError: the run has other figures.
            RejectedRecordError, InvalidTransitionError: as for `update_run_status`.
        """
        checks.refuse_unknown(figures, known=FIGURE_KEYWORDS, of="finish_run")
        fields = spec_of(BacktestResult).fields
        for name in FIGURES:
            if fields[name].required and figures.get(name) is None:
                raise RejectedRecordError(name, None, "is required")
        told = {name: fields[name].check(name, value) for name, value in figures.items() if value is not None}
        return self._step(run, BacktestStatus.COMPLETED, None, timestamp, **told)

    def _step(self, run: Any, status: str, message: str | None, at: dt.datetime | None, **figures: Any) -> Receipt:
        key = checks.check_uuid("run", getattr(run, "id", run))
        if status is None:
            raise RejectedRecordError("status", None, "is required")
        fields = spec_of(BacktestRun).fields
        step = {"status": fields["status"].check("status", status)}
        if message is not None:
            step["status_message"] = fields["status_message"].check("message", message)
        step["at"] = timezone.now() if at is None else checks.check_time("timestamp", at)
        return self.recorder.record(Fact(kind=BACKTEST_STEP, id=key, values={**step, **figures}))


def _pair_keys(pairs: Any) -> list[list[str]]:
    if pairs is None:
        return []
    if not isinstance(pairs, list | tuple):
        raise RejectedRecordError("pairs", pairs, "a list of pairs, each two symbols")
    return [pair_key(f"pairs[{place}]", pair) for place, pair in enumerate(pairs)]
