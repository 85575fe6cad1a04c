"""Recorded figures, to look at; `manage.py metrics --record` writes them."""

from __future__ import annotations

from django.contrib import admin

from friren.operations.admin.bases import ReadOnlyAdmin
from friren.operations.admin.filters import exact_filter, time_filter
from friren.operations.models import MetricSample

__all__ = ["MetricSampleAdmin"]


@admin.register(MetricSample)
class MetricSampleAdmin(ReadOnlyAdmin):
    group = "System"
    list_display = ("id", "captured_at", "name", "value", "labels")
    list_filter = (time_filter("captured_at"), exact_filter("name", label="Name"))
    search_fields = ("name",)
    sortable_by = ("captured_at",)
    ordering = ("-captured_at", "-id")
    page_groups = (("", ("captured_at", "name", "value", "labels")),)
