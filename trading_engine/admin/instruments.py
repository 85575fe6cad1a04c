"""What is traded, and its prices."""

from __future__ import annotations

from django.contrib import admin

from friren.operations.admin.bases import ReadOnlyAdmin, ReferenceAdmin
from friren.operations.admin.filters import exact_filter, time_filter
from friren.operations.admin.panels import register_panel, related
from trading_engine.admin.shared import MARKET_DATA, SYMBOL_FILTER
from trading_engine.models import Price, PriceRevision, Symbol

__all__ = ["PriceAdmin", "PriceRevisionAdmin", "SymbolAdmin"]

BAR = ("open", "high", "low", "close", "volume")


@admin.register(Symbol)
class SymbolAdmin(ReferenceAdmin):
    group = MARKET_DATA
    place = 1
    list_display = ("ticker", "venue", "name", "asset_type", "sector", "currency", "multiplier", "tick_size",
                    "lot_size", "expires_at", "is_active")  # fmt: skip
    list_filter = (
        "is_active",
        exact_filter("venue", label="Venue"),
        exact_filter("sector", label="Sector"),
        exact_filter("asset_type", label="Asset type"),
        exact_filter("currency", label="Currency"),
    )
    search_fields = ("ticker", "name")
    search_help_text = "A ticker or a name, written in full."
    ordering = ("ticker", "venue")
    # The books are computed from these.
    frozen = ("ticker", "venue", "currency", "multiplier")
    managed = ("created_at", "updated_at")


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    group = MARKET_DATA
    place = 2
    list_display = ("timestamp", "symbol", "timeframe", *BAR, "adjusted_close", "source", "is_suspect")
    list_filter = (SYMBOL_FILTER, exact_filter("timeframe", label="Timeframe"), exact_filter("source", label="Source"),
                   time_filter("timestamp"), "is_suspect")  # fmt: skip
    search_fields = ("symbol__ticker", "id")
    search_help_text = "A ticker, written in full."
    ordering = ("-timestamp", "-id")
    sortable_by = ("timestamp",)


@admin.register(PriceRevision)
class PriceRevisionAdmin(ReadOnlyAdmin):
    group = MARKET_DATA
    place = 3
    list_display = ("revised_at", "symbol", "timestamp", "timeframe", *BAR, "source", "reason")
    list_filter = (SYMBOL_FILTER, time_filter("revised_at"), time_filter("timestamp"))
    search_fields = ("symbol__ticker", "price_id", "id")
    ordering = ("-revised_at", "-id")


PRICE_COLUMNS = ("timestamp", "timeframe", *BAR, "source")

register_panel(Symbol, related(Price, "symbol", *PRICE_COLUMNS, order=("-timestamp",), title="Latest prices"), place=60)
register_panel(
    Price, related(PriceRevision, "price_id", "revised_at", *BAR, "reason", order=("-revised_at",), title="Revisions")
)
