"""The blocks that seal the facts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from friren.operations.admin.bases import ReadOnlyAdmin
from friren.operations.admin.filters import exact_filter, time_filter
from friren.operations.models import AuditBlock

__all__ = ["AuditBlockAdmin"]


@admin.register(AuditBlock)
class AuditBlockAdmin(ReadOnlyAdmin):
    """Looked at here; `manage.py verify_audit` says whether they hold."""

    group = "System"
    list_display = ("seq", "sealed_at", "table_name", "first_seq", "last_seq", "row_count", "block_hash")
    list_filter = (time_filter("sealed_at"), exact_filter("table_name", label="Table"))
    search_fields = ("seq", "table_name")
    sortable_by = ("seq",)
    ordering = ("-seq",)
    page_groups = (
        ("", ("sealed_at", "table_name", "first_seq", "last_seq", "row_count", "layout")),
        ("Chain", ("merkle_root", "leaves_digest", "previous_hash", "block_hash", "key_id", "signature")),
    )
    record_fields = ("seq",)
    # Half a megabyte of no use to a reader.
    exclude = ("leaves",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any, Any]:
        """Return the blocks without their leaves."""
        return super().get_queryset(request).defer("leaves")
