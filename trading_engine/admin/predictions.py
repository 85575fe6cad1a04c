"""What prediction venues offer, and how it stood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from friren.operations.admin.bases import ReadOnlyAdmin, ReferenceAdmin
from friren.operations.admin.columns import changelist_link, computed
from friren.operations.admin.filters import exact_filter, time_filter
from friren.operations.admin.panels import register_panel, related
from trading_engine.admin.shared import MARKET_DATA
from trading_engine.models import PredictionEvent, PredictionMarket, PredictionMarketSnapshot, Trade

if TYPE_CHECKING:
    # The stubs' class is generic; Django's own is not.
    MarketModelForm = forms.ModelForm[PredictionMarket]
else:
    MarketModelForm = forms.ModelForm

__all__ = ["PredictionEventAdmin", "PredictionMarketAdmin", "PredictionMarketSnapshotAdmin"]

FIGURES = ("yes_price", "no_price", "liquidity", "volume", "volume24hr", "market_conviction")
# By its text id: it may be one that is not stored here.
MARKET = computed("market", lambda row: changelist_link(PredictionMarket, row.market_id, market_id=row.market_id))


@admin.register(PredictionEvent)
class PredictionEventAdmin(ReferenceAdmin):
    group = MARKET_DATA
    place = 4
    list_display = ("title", "event_id", "liquidity", "volume", "volume24hr", "starts_at", "ends_at", "told_at",
                    "is_filtered")  # fmt: skip
    list_filter = ("is_filtered", time_filter("ends_at"))
    search_fields = ("event_id", "slug", "title")
    ordering = ("-id",)
    frozen = ("event_id",)  # other rows name the event by it
    managed = ("told_at", "created_at", "updated_at")


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
                    "resolved_outcome", "resolved_at", "told_at")  # fmt: skip
    list_filter = ("resolved_outcome", "is_filtered", time_filter("event_ends_at"))
    search_fields = ("market_id", "event", "question", "condition_id")
    ordering = ("-id",)
    frozen = ("market_id",)  # other rows name the market by it
    managed = ("told_at", "created_at", "updated_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the fields, the event by its text id where it is typed."""
        typed = obj is None or self.has_change_permission(request, obj)
        return ["event_key" if typed and name == "event" else name for name in super().get_fields(request, obj)]


@admin.register(PredictionMarketSnapshot)
class PredictionMarketSnapshotAdmin(ReadOnlyAdmin):
    group = MARKET_DATA
    place = 8
    list_display = ("timestamp", MARKET, *FIGURES)
    list_select_related = False
    list_filter = (exact_filter("market", label="Market id"), time_filter("timestamp"))
    search_fields = ("market", "id")
    search_help_text = "The id of a market, written in full."
    ordering = ("-timestamp", "-id")
    sortable_by = ("timestamp",)


register_panel(
    PredictionEvent,
    related(PredictionMarket, "event", "question", "yes_price", "no_price", "resolved_outcome", order=("id",),
            key="event_id"),
)  # fmt: skip
register_panel(
    PredictionMarket,
    related(PredictionMarketSnapshot, "market", "timestamp", *FIGURES, order=("-timestamp",), key="market_id",
            title="Latest prices"),
    related(Trade, "market", "executed_at", "account", "action", "quantity", "price", "status",
            order=("-executed_at",), key="market_id", title="Latest trades"),
)  # fmt: skip
