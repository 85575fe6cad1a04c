"""The log of backups. What is on disk counts: a backup can be restored without it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from friren.core.fields import ChoiceField
from friren.core.triggers import frozen_columns
from friren.operations.choices import BackupKind, RunStatus

__all__ = ["BackupRecord"]


class BackupRecord(models.Model):
    """
    One backup: where it lies, what was in it, whether it was restored and compared.

    `table_digests` has rows and digest of every table, `[rows, digest]` by name, taken in the snapshot of the dump.
    """

    id = models.BigAutoField(primary_key=True)
    kind = ChoiceField(max_length=12, choices=BackupKind)
    format = models.CharField(max_length=8)
    path = models.CharField(max_length=1024)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    is_encrypted = models.BooleanField(default=False)
    status = ChoiceField(max_length=10, choices=RunStatus, default=RunStatus.RUNNING)
    table_digests = models.JSONField(default=dict, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    message = models.TextField(blank=True)

    class Meta:
        verbose_name = "Backup"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(size_bytes__isnull=True) | Q(size_bytes__gte=0),
                name="ck_backuprecord_size",
                violation_error_code="size_bytes",
                violation_error_message="must not be negative",
            ),
            models.CheckConstraint(
                condition=~Q(status=RunStatus.VERIFIED) | Q(verified_at__isnull=False),
                name="ck_backuprecord_verified",
                violation_error_code="verified_at",
                violation_error_message="is needed for what is verified",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["kind", "-started_at"], name="backup_by_kind"),
            models.Index(fields=["expires_at"], name="backup_expiry"),
        ]
        triggers: ClassVar = [frozen_columns("id", "kind", "format", "started_at")]

    def __str__(self) -> str:
        return f"{self.kind} {self.started_at:%Y-%m-%d %H:%M} ({self.status})"
