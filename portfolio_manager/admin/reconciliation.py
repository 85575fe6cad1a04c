"""Breaks between statements and books: people say how one came to its end."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.http import HttpRequest

from friren.errors import FrirenError
from friren.operations.admin.bases import ReadOnlyAdmin
from friren.operations.admin.columns import key_column
from friren.operations.admin.filters import AccountFilter, time_filter
from friren.operations.admin.panels import register_panel, related
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.admin.books import BOOKS
from portfolio_manager.models import ReconciliationBreak
from portfolio_manager.models.choices import BreakResolution
from portfolio_manager.reconciliation.breaks import resolve
from trading_engine.models import Trade

__all__ = ["ReconciliationBreakAdmin"]

CHANGE: Final = "portfolio_manager.change_reconciliationbreak"


class NoteForm(ActionForm):
    """What stands beside the action: why."""

    note = forms.CharField(required=False, max_length=1000, label="Note")


@admin.register(ReconciliationBreak)
class ReconciliationBreakAdmin(ReadOnlyAdmin):
    group = BOOKS
    place = 8
    list_display = ("found_at", "account", "kind", "field", "ours", "theirs", "venue", "external_id",
                    key_column("trade"), "resolution", "statement", "id")  # fmt: skip
    list_filter = ("resolution", "kind", AccountFilter, "field", time_filter("found_at"))
    search_fields = ("account__name", "trade", "run_id", "id")
    search_help_text = "An account, a trade, a run or an id, written in full."
    ordering = ("-found_at", "-id")
    sortable_by = ("found_at",)
    actions = ("corrected", "ignore")
    action_form = NoteForm
    page_groups = (
        ("", ("account", "kind", "field", "ours", "theirs", "venue", "external_id", "trade", "payload")),
        ("Found", ("found_at", "statement", "run_id")),
        ("Resolution", ("resolution", "resolved_at", "resolved_by", "note")),
    )

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(CHANGE)

    @admin.action(permissions=["resolve"], description="Corrected")
    def corrected(self, request: HttpRequest, queryset: Any) -> None:
        self._resolve(request, queryset, BreakResolution.CORRECTED)

    @admin.action(permissions=["resolve"], description="Ignore, for the reason noted")
    def ignore(self, request: HttpRequest, queryset: Any) -> None:
        if not request.POST.get("note", "").strip():
            self.message_user(request, "Note why: a break is ignored for a reason.", messages.ERROR)
            return
        self._resolve(request, queryset, BreakResolution.IGNORED)

    def _resolve(self, request: HttpRequest, queryset: Any, resolution: BreakResolution) -> None:
        """Resolve each by itself: one that cannot be is told, and keeps no other from it."""
        done, note = 0, request.POST.get("note", "").strip()
        for one in queryset.order_by("pk"):
            try:
                (receipt,) = resolve([one], resolution, by=request.user.pk, note=note)
            except FrirenError as exc:
                self.message_user(request, f"{one.pk}: {exc}", messages.ERROR)
                continue
            done += receipt.outcome is WriteOutcome.STORED
        if done:
            said = f"{done} {'break' if done == 1 else 'breaks'} resolved: {resolution.label}."
            self.message_user(request, said, messages.SUCCESS)


register_panel(Trade, related(ReconciliationBreak, "trade", "found_at", "kind", "field", "ours", "theirs", "resolution",
                              order=("found_at",), title="Breaks with statements"))  # fmt: skip
