"""The log of backups, to look at; `manage.py backup`, `verify_backup` and `prune_backups` write it."""

from __future__ import annotations

from django.contrib import admin

from friren.operations.admin.bases import ReadOnlyAdmin
from friren.operations.admin.filters import time_filter
from friren.operations.models import BackupRecord

__all__ = ["BackupRecordAdmin"]


@admin.register(BackupRecord)
class BackupRecordAdmin(ReadOnlyAdmin):
    group = "System"
    list_display = ("id", "kind", "started_at", "status", "verified_at", "size_bytes", "is_encrypted", "path")
    list_filter = ("kind", "status", time_filter("started_at"))
    search_fields = ("id", "path", "sha256")
    sortable_by = ("started_at",)
    ordering = ("-started_at", "-id")
    page_groups = (
        ("", ("kind", "status", "path", "size_bytes", "sha256", "is_encrypted", "format", "message")),
        ("Times", ("started_at", "finished_at", "verified_at", "expires_at")),
        ("Tables", ("table_digests",)),
    )
