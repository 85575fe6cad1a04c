"""Schedules for people: what falls due when, and what came of it last."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from friren.operations.jobs import cron
from friren.operations.jobs.models import ScheduledRun
from friren.operations.jobs.registry import registered

__all__ = ["list_schedules"]


def list_schedules() -> list[dict[str, Any]]:
    """
    Return every schedule: `name`, `command`, `cron` (None when it is off), `variable`, `queue`, `next_at`, and of its
    last run `last_at`, `last_status`, `last_message`.

    Raises:
        ConfigurationError: a cron line cannot be read.
    """
    now = timezone.now()
    last = {run.schedule: run for run in ScheduledRun.objects.order_by("schedule", "-due_at").distinct("schedule")}
    told = []
    for schedule in registered().values():
        if schedule.cron:
            cron.check(schedule)
        run = last.get(schedule.name)
        told.append(
            {
                "name": schedule.name,
                "command": " ".join(schedule.command),
                "cron": schedule.cron or None,
                "variable": schedule.variable,
                "queue": schedule.queue,
                "next_at": cron.following(schedule, now),
                "last_at": None if run is None else run.started_at,
                "last_status": None if run is None else run.status,
                "last_message": None if run is None else run.message,
            }
        )
    return told
