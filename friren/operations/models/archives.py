"""The log of what was archived and brought back."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from friren.core.fields import ChoiceField
from friren.core.triggers import frozen_columns
from friren.operations.choices import ArchiveDirection, ArchiveTarget, RunStatus

__all__ = ["ArchiveRun"]


class ArchiveRun(models.Model):
    """
    One way of one table's rows: older than `cutoff_at`, from `since_at` on where that is set.

    Written in the transactions that move the rows, so it agrees with them whenever a process is killed. `first_seq`
    and `last_seq` are the lowest and the highest `recorded_seq` that were moved, `rows_digest` the sum of the rows'
    digests, whatever their order. A run that is RUNNING while nobody holds its table was interrupted.
    """

    id = models.BigAutoField(primary_key=True)
    table_name = models.CharField(max_length=100)
    direction = ChoiceField(max_length=10, choices=ArchiveDirection, default=ArchiveDirection.ARCHIVE)
    target = ChoiceField(max_length=10, choices=ArchiveTarget, default=ArchiveTarget.TABLE)
    since_at = models.DateTimeField(null=True, blank=True)
    cutoff_at = models.DateTimeField()
    first_seq = models.BigIntegerField(null=True, blank=True)
    last_seq = models.BigIntegerField(null=True, blank=True)
    rows_copied = models.BigIntegerField(default=0)
    rows_deleted = models.BigIntegerField(default=0)
    rows_digest = models.CharField(max_length=64, blank=True)
    path = models.CharField(max_length=1024, blank=True)
    status = ChoiceField(max_length=10, choices=RunStatus, default=RunStatus.RUNNING)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    message = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(rows_copied__gte=0, rows_deleted__gte=0),
                name="ck_archiverun_rows",
                violation_error_code="rows_copied",
                violation_error_message="must not be negative",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["table_name", "-started_at"], name="archiverun_by_table")]
        triggers: ClassVar = [
            frozen_columns("id", "table_name", "direction", "target", "since_at", "cutoff_at", "path", "started_at")
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.table_name} {self.started_at:%Y-%m-%d %H:%M} ({self.status})"
