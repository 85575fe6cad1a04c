"""What the system notes about itself."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from friren.core.choices import AuditAction
from friren.core.fields import ChoiceField
from friren.core.models.accounts import Account
from friren.core.models.bases import FactModel
from friren.core.triggers import fact_triggers

__all__ = ["AuditLog", "SystemMetadata"]


class SystemMetadata(models.Model):
    """A named value, such as when a service last ran."""

    key = models.CharField(primary_key=True, max_length=255)
    value = models.TextField(blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "System metadata"

    def __str__(self) -> str:
        return self.key


class AuditLog(FactModel):
    """Who did what to which row; the event row of state machines that have no table of their own."""

    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )
    occurred_at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="audit_entries",
    )
    actor_label = models.CharField(max_length=150, blank=True)
    action = ChoiceField(max_length=20, choices=AuditAction)
    model_label = models.CharField(max_length=100)
    object_pk = models.CharField(max_length=255, blank=True)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    source = models.CharField(max_length=50, blank=True)
    db_user = models.CharField(max_length=63, blank=True)
    remote_addr = models.GenericIPAddressField(null=True, blank=True)

    class Meta(FactModel.Meta):
        verbose_name = "Audit entry"
        verbose_name_plural = "Audit log"
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["-occurred_at"], name="auditlog_occurred"),
            models.Index(fields=["model_label", "object_pk"], name="auditlog_object"),
            models.Index(fields=["action", "occurred_at"], name="auditlog_action"),
        ]
        triggers: ClassVar = fact_triggers()

    def __str__(self) -> str:
        return f"{self.action} {self.model_label} {self.object_pk}"
