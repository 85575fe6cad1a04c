"""The write path's tables: how far journals are drained, what could not be stored, what was lost."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from friren.operations.admin.bases import ReadOnlyAdmin
from friren.operations.admin.columns import computed
from friren.operations.admin.filters import time_filter
from friren.persistence.models import DeadLetter, JournalCursor, LossRecord

__all__ = ["DeadLetterAdmin", "JournalCursorAdmin", "LossRecordAdmin"]

SYSTEM = "System"


@admin.register(JournalCursor)
class JournalCursorAdmin(ReadOnlyAdmin):
    group = SYSTEM
    list_display = ("producer", "label", "seq", "stored", "duplicates", "dead_lettered", "updated_at")
    search_fields = ("producer",)
    ordering = ("-updated_at", "-producer")
    # `producer` is what a cursor is about, not how its row came to be.
    record_fields = ("adopted_by", "created_at", "updated_at")


def _said(letter: Any) -> str:
    """Return the bytes of a record as text, what is none escaped."""
    return bytes(letter.payload).decode("utf-8", "backslashreplace")


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """Looked at here; `manage.py dead_letters` tries them again or gives them up."""

    group = SYSTEM
    list_display = ("id", "shelf", "kind", "error", "first_seen_at", "attempts", "resolution")
    list_filter = ("shelf", "resolution", time_filter("first_seen_at"))
    search_fields = ("id", "fact_id", "producer")
    ordering = ("-first_seen_at", "-id")
    page_groups = (
        ("", ("shelf", "kind", "fact_id", "account_id", "error_class", "error", "payload")),
        ("Dealt with", ("attempts", "last_tried_at", "resolution", "resolved_at", "resolved_by")),
    )
    record_fields = ("producer", "seq", "first_seen_at")

    def _shown(self, name: Any, *, whole: bool = False) -> Any:
        return computed("payload", _said) if name == "payload" else super()._shown(name, whole=whole)


@admin.register(LossRecord)
class LossRecordAdmin(ReadOnlyAdmin):
    group = SYSTEM
    list_display = ("id", "kind", "lost", "first_at", "last_at", "reason")
    search_fields = ("id", "producer")
    ordering = ("-first_at", "-id")
