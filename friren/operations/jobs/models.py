"""The log of what was run by the clock. The queue's own tables are procrastinate's, and have no models here."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from friren.core.fields import ChoiceField
from friren.core.triggers import frozen_columns
from friren.operations.jobs.choices import ScheduledStatus

__all__ = ["ScheduledRun"]

_ENDED = Q(status=ScheduledStatus.RUNNING, finished_at__isnull=True) | (
    ~Q(status=ScheduledStatus.RUNNING) & Q(finished_at__isnull=False)
)


class ScheduledRun(models.Model):
    """
    One run of a schedule; there is one for every moment that it fell due and a worker was there.

    `queue_job` is the job's number in the queue, `next_due_at` when the schedule falls due again.
    """

    id = models.BigAutoField(primary_key=True)
    schedule = models.CharField(max_length=64)
    due_at = models.DateTimeField()
    command = models.CharField(max_length=512)
    status = ChoiceField(max_length=12, choices=ScheduledStatus, default=ScheduledStatus.RUNNING)
    attempts = models.PositiveSmallIntegerField(default=1)
    worker = models.CharField(max_length=150)
    queue_job = models.BigIntegerField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    next_due_at = models.DateTimeField(null=True, blank=True)
    message = models.TextField(blank=True)

    class Meta:
        verbose_name = "Scheduled run"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["schedule", "due_at"], name="uq_scheduledrun_due"),
            models.CheckConstraint(
                condition=_ENDED,
                name="ck_scheduledrun_finished",
                violation_error_code="finished_at",
                violation_error_message="is needed for what has ended, and for nothing else",
            ),
        ]
        triggers: ClassVar = [frozen_columns("id", "schedule", "due_at", "command", "queue_job")]

    def __str__(self) -> str:
        return f"{self.schedule} {self.due_at:%Y-%m-%d %H:%M} ({self.status})"
