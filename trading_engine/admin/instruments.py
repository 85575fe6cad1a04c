"""What is traded, and its prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from friren.operations.admin.bases import ReadOnlyAdmin, ReferenceAdmin
from friren.operations.admin.filters import exact_filter, time_filter
from friren.operations.admin.panels import register_panel, related
from trading_engine.admin.shared import MARKET_DATA, SYMBOL_FILTER
from trading_engine.models import PredictionEvent, PredictionMarket, Price, PriceRevision, Symbol, Trade

if TYPE_CHECKING:
    # The stubs' class is generic; Django's own is not.
    MarketModelForm = forms.ModelForm[PredictionMarket]
else:
    MarketModelForm = forms.ModelForm

__all__ = ["PredictionEventAdmin", "PredictionMarketAdmin", "PriceAdmin", "PriceRevisionAdmin", "SymbolAdmin"]

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


@admin.register(PredictionEvent)
class PredictionEventAdmin(ReferenceAdmin):
    group = MARKET_DATA
    place = 4
    list_display = ("title", "event_id", "liquidity", "volume", "volume24hr", "starts_at", "ends_at", "is_filtered")
    list_filter = ("is_filtered", time_filter("ends_at"))
    search_fields = ("event_id", "slug", "title")
    ordering = ("-id",)
    frozen = ("event_id",)  # other rows name the event by it
    managed = ("created_at", "updated_at")


class PredictionMarketForm(MarketModelForm):
    """Takes the event as its text id: it may be one that is not stored here."""

    event_key = forms.CharField(label="Event id", max_length=255, required=False, help_text="As its venue names it.")

    class Meta:
        model = PredictionMarket
        exclude: ClassVar = ["event"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "event_key" in self.fields:
            self.fields["event_key"].initial = self.instance.event_id or ""

    def save(self, commit: bool = True) -> PredictionMarket:
        self.instance.event_id = self.cleaned_data.get("event_key") or None
        return super().save(commit)


@admin.register(PredictionMarket)
class PredictionMarketAdmin(ReferenceAdmin):
    group = MARKET_DATA
    place = 5
    form = PredictionMarketForm
    list_display = ("question", "market_id", "event", "yes_price", "no_price", "liquidity", "volume", "event_ends_at",
                    "resolved_outcome")  # fmt: skip
    list_filter = ("resolved_outcome", "is_filtered", time_filter("event_ends_at"))
    search_fields = ("market_id", "event", "question")
    ordering = ("-id",)
    frozen = ("market_id",)  # other rows name the market by it
    managed = ("created_at", "updated_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the fields, the event by its text id where it is typed."""
        typed = obj is None or self.has_change_permission(request, obj)
        return ["event_key" if typed and name == "event" else name for name in super().get_fields(request, obj)]


PRICE_COLUMNS = ("timestamp", "timeframe", *BAR, "source")

register_panel(Symbol, related(Price, "symbol", *PRICE_COLUMNS, order=("-timestamp",), title="Latest prices"), place=60)
register_panel(
    Price, related(PriceRevision, "price_id", "revised_at", *BAR, "reason", order=("-revised_at",), title="Revisions")
)
register_panel(
    PredictionEvent,
    related(PredictionMarket, "event", "question", "yes_price", "no_price", "resolved_outcome", order=("id",),
            key="event_id"),
)  # fmt: skip
register_panel(
    PredictionMarket,
    related(Trade, "market", "executed_at", "account", "action", "quantity", "price", "status",
            order=("-executed_at",), key="market_id", title="Latest trades"),
)  # fmt: skip
