"""The log of runs: each moment that a schedule fell due is run once, whatever the queue hands out."""

from __future__ import annotations

import datetime as dt
import os
import socket
from typing import Final

from django.db import connection, transaction
from django.utils import timezone

from friren.operations.jobs.choices import ScheduledStatus
from friren.operations.jobs.models import ScheduledRun
from friren.operations.jobs.registry import Schedule
from friren.operations.jobs.settings import KEPT_DAYS

__all__ = ["begin", "end", "forget_old", "lose", "worker_name"]

_OLD: Final = """
    DELETE FROM jobs_scheduledrun old WHERE old.due_at < %s AND EXISTS (
        SELECT FROM jobs_scheduledrun newer
        WHERE newer.schedule = old.schedule AND newer.due_at > old.due_at AND newer.status = 'SUCCEEDED')
"""


def worker_name() -> str:
    """Return what tells this process from all others: its machine and its number there."""
    return f"{socket.gethostname()}:{os.getpid()}"[:150]


def begin(
    schedule: Schedule, *, due_at: dt.datetime, queue_job: int, next_due_at: dt.datetime | None
) -> ScheduledRun | None:
    """
    Note that a run begins, or that an interrupted one begins again.

    Returns:
        The run; None when this moment, or one after it, was run before. The queue hands out a moment a second time to
        a worker that slept over it: it only remembers the last one.
    """
    now, name = timezone.now(), worker_name()
    with transaction.atomic():
        told = ScheduledRun.objects.select_for_update().filter(schedule=schedule.name, due_at=due_at).first()
        if told is None:
            if ScheduledRun.objects.filter(schedule=schedule.name, due_at__gt=due_at).exists():
                return None
            run, made = ScheduledRun.objects.get_or_create(
                schedule=schedule.name, due_at=due_at,
                defaults={"command": " ".join(schedule.command), "worker": name, "queue_job": queue_job,
                          "started_at": now, "next_due_at": next_due_at},
            )  # fmt: skip
            return run if made else None
        if told.queue_job != queue_job or told.status in {ScheduledStatus.SUCCEEDED, ScheduledStatus.FAILED}:
            return None
        told.status, told.finished_at, told.message = ScheduledStatus.RUNNING, None, ""
        told.attempts += 1
        told.worker, told.started_at, told.next_due_at = name, now, next_due_at
        told.save()
        return told


def end(run: ScheduledRun, status: ScheduledStatus, message: str = "") -> None:
    """Note how a run ended; of one that another worker has begun again meanwhile nothing is noted."""
    ScheduledRun.objects.filter(pk=run.pk, attempts=run.attempts, status=ScheduledStatus.RUNNING).update(
        status=status, finished_at=timezone.now(), message=message
    )


def lose(queue_job: int, *, again: bool) -> None:
    """Note that the worker of a run is gone: it is interrupted when it is run `again`, else it failed."""
    status = ScheduledStatus.INTERRUPTED if again else ScheduledStatus.FAILED
    message = "the worker that ran it is gone" + ("" if again else ", and it was begun before")
    ScheduledRun.objects.filter(queue_job=queue_job, status=ScheduledStatus.RUNNING).update(
        status=status, finished_at=timezone.now(), message=message
    )


def forget_old() -> None:
    """Remove the runs that are KEPT_DAYS old; the last success of each schedule, and what followed it, stays."""
    with connection.cursor() as cursor:
        cursor.execute(_OLD, [timezone.now() - dt.timedelta(days=KEPT_DAYS)])
