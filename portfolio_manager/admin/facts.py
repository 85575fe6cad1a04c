"""The facts beside trades that the books are made of."""

from __future__ import annotations

from django.contrib import admin

from friren.operations.admin.bases import ReadOnlyAdmin
from friren.operations.admin.filters import AccountFilter, exact_filter, time_filter
from portfolio_manager.admin.books import BOOKS
from portfolio_manager.models import CashMovement, CorporateAction, MarketResolution, PeriodCheckpoint
from trading_engine.admin.shared import SYMBOL_FILTER

__all__ = ["CashMovementAdmin", "CorporateActionAdmin", "MarketResolutionAdmin", "PeriodCheckpointAdmin"]


@admin.register(CashMovement)
class CashMovementAdmin(ReadOnlyAdmin):
    group = BOOKS
    place = 5
    list_display = ("occurred_at", "account", "kind", "amount", "currency", "symbol", "reason", "venue",
                    "external_id", "id")  # fmt: skip
    list_filter = (AccountFilter, "kind", exact_filter("currency", label="Currency"), time_filter("occurred_at"))
    search_fields = ("symbol__ticker", "account__name", "id", "external_id")
    ordering = ("-occurred_at", "-id")
    sortable_by = ("occurred_at", "amount")
    page_groups = (
        ("", ("account", "kind", "amount", "currency", "occurred_at", "symbol", "counter_account", "reason")),
        ("Source", ("venue", "external_id", "received_at", "corrects", "extra")),
    )


@admin.register(CorporateAction)
class CorporateActionAdmin(ReadOnlyAdmin):
    group = BOOKS
    place = 6
    list_display = ("effective_at", "account", "symbol", "kind", "ratio", "amount", "currency", "source", "id")
    list_filter = (AccountFilter, SYMBOL_FILTER, "kind", time_filter("effective_at"))
    search_fields = ("symbol__ticker", "account__name", "id")
    ordering = ("-effective_at", "-id")
    sortable_by = ("effective_at",)


@admin.register(MarketResolution)
class MarketResolutionAdmin(ReadOnlyAdmin):
    group = BOOKS
    place = 7
    list_display = ("resolved_at", "account", "market", "outcome", "yes_payout", "source", "id")
    list_filter = (AccountFilter, "outcome", time_filter("resolved_at"))
    search_fields = ("account__name", "market", "id")
    ordering = ("-resolved_at", "-id")
    sortable_by = ("resolved_at",)


@admin.register(PeriodCheckpoint)
class PeriodCheckpointAdmin(ReadOnlyAdmin):
    group = BOOKS
    place = 8
    list_display = ("closes_at", "account", "cash", "trade_count", "closed_by", "id")
    list_filter = (AccountFilter, time_filter("closes_at"))
    search_fields = ("account__name", "id")
    ordering = ("-closes_at", "-id")
    sortable_by = ("closes_at",)
    page_groups = (("", ("account", "closes_at", "cash", "balances", "positions", "trade_count", "closed_by")),)
