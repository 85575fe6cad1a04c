"""How a run ends in the database: with its figures, or with why it failed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from friren.core.numbers import plain
from friren.errors import FrirenError
from portfolio_manager.run_report import RunReport
from trading_engine.services import BacktestRecorder

__all__ = ["fail_run", "result_columns"]

log = logging.getLogger(__name__)


def fail_run(runs: BacktestRecorder, run_id: UUID, reason: BaseException) -> None:
    """Mark a run as FAILED by `reason`; where that cannot be stored it is logged, for the reason is what matters."""
    try:
        runs.update_run_status(run_id, "FAILED", message=f"{type(reason).__name__}: {reason}".rstrip(": "))
    except FrirenError:
        # The reason is what the caller has to hear, not that it could not be stored either.
        log.exception("the run %s could not be marked as failed", run_id)


def result_columns(report: RunReport, **details: Any) -> Mapping[str, Any]:
    """Return the columns of BacktestResult; what has no column goes to detailed_metrics, and `details` with it."""
    figures = asdict(report.performance)
    own = {name: figures.pop(name) for name in ("volatility", "value_at_risk")}
    holding = figures.pop("avg_holding_days")
    return {
        **figures,
        "avg_holding_period": holding,
        "detailed_metrics": {
            **own,
            **{name: getattr(report, name) for name in ("bars", "signals", "orders", "trades", "regimes", "risk_days")},
            "final_equity": plain(report.final_equity),
            "refusals": dict(report.refusals),
            **details,
        },
    }
