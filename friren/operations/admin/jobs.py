"""What was run by the clock, to look at; `manage.py worker` writes it."""

from __future__ import annotations

from django.contrib import admin

from friren.operations.admin.bases import ReadOnlyAdmin
from friren.operations.admin.filters import exact_filter, time_filter
from friren.operations.jobs.models import ScheduledRun

__all__ = ["ScheduledRunAdmin"]


@admin.register(ScheduledRun)
class ScheduledRunAdmin(ReadOnlyAdmin):
    group = "System"
    list_display = ("id", "schedule", "due_at", "status", "started_at", "finished_at", "attempts", "worker", "message")
    list_filter = ("status", exact_filter("schedule", label="Schedule"), time_filter("due_at"))
    search_fields = ("id", "schedule")
    sortable_by = ("due_at",)
    ordering = ("-due_at", "-id")
    page_groups = (
        ("", ("schedule", "command", "status", "message", "attempts", "worker", "queue_job")),
        ("Times", ("due_at", "started_at", "finished_at", "next_due_at")),
    )
