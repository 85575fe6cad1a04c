"""Schedules: when each last succeeded, and whether it is overdue. Who runs no worker is asked for nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import Max, Q
from django.utils import timezone

from friren.operations.health.registry import Finding, register
from friren.operations.jobs.choices import ScheduledStatus
from friren.operations.jobs.models import ScheduledRun
from friren.operations.jobs.registry import Schedule, registered
from friren.operations.jobs.settings import LATE_SECONDS, RUNNING_SECONDS

__all__ = ["check_schedules", "register_all"]

_SUCCEEDED = Q(status=ScheduledStatus.SUCCEEDED)


def register_all() -> None:
    """Register the check of this module."""
    # A job that was not done says nothing of whether this server can serve.
    register("schedules", check_schedules, thorough=True)


def check_schedules() -> Finding:
    """
    Compare the last run of each schedule with when it falls due next, which the run itself has noted.

    So no cron line has to be read here, and a schedule that was never run is nobody's yet.
    """
    now = timezone.now()
    wanted = [schedule for schedule in registered().values() if schedule.cron]
    names = [schedule.name for schedule in wanted]
    runs = ScheduledRun.objects.filter(schedule__in=names)
    last = {run.schedule: run for run in runs.order_by("schedule", "-due_at").distinct("schedule")}
    succeeded = dict(runs.values_list("schedule").annotate(at=Max("finished_at", filter=_SUCCEEDED)))
    told = [_trouble(schedule, last.get(schedule.name), now) for schedule in wanted]
    troubles = [trouble for trouble in told if trouble]
    details: dict[str, Any] = {
        "last_success": {name: at for name, at in succeeded.items() if at is not None},
        "troubles": troubles,
    }
    fine = f"{len(last)} schedules are run in time" if last else "no worker has run yet: see `manage.py worker`"
    return Finding(ok=not troubles, message="; ".join(troubles) or fine, details=details)


def _trouble(schedule: Schedule, run: ScheduledRun | None, now: dt.datetime) -> str:
    if run is None:
        return ""
    if run.status == ScheduledStatus.RUNNING:
        since = now - run.started_at
        return f"{schedule.name} has been running for {_long(since)}" if _over(since, RUNNING_SECONDS) else ""
    if run.next_due_at is not None and _over(now - run.next_due_at, LATE_SECONDS):
        return f"{schedule.name} is {_long(now - run.next_due_at)} late: does `manage.py worker` run?"
    if run.status == ScheduledStatus.FAILED and schedule.judged:
        return f"{schedule.name} failed at {run.started_at:%Y-%m-%d %H:%M} UTC: {run.message}"
    return ""


def _over(span: dt.timedelta, seconds: float) -> bool:
    return span.total_seconds() > seconds


def _long(span: dt.timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
