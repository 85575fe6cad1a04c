"""The log of the archive, to look at; `manage.py archive` and `unarchive` write it."""

from __future__ import annotations

from django.contrib import admin

from friren.operations.admin.bases import ReadOnlyAdmin
from friren.operations.admin.filters import time_filter
from friren.operations.models import ArchiveRun

__all__ = ["ArchiveRunAdmin"]


@admin.register(ArchiveRun)
class ArchiveRunAdmin(ReadOnlyAdmin):
    group = "System"
    list_display = ("id", "table_name", "direction", "target", "cutoff_at", "status", "rows_copied", "started_at")
    list_filter = ("direction", "target", "status", time_filter("started_at"))
    search_fields = ("id", "table_name", "path")
    sortable_by = ("started_at",)
    ordering = ("-started_at", "-id")
    page_groups = (
        ("", ("table_name", "direction", "target", "since_at", "cutoff_at", "path", "status", "message")),
        ("Rows", ("rows_copied", "rows_deleted", "first_seq", "last_seq", "rows_digest")),
        ("Times", ("started_at", "finished_at")),
    )
