"""Ideas and what was decided about them: people approve and reject here, and everything else is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone

from friren.errors import FrirenError
from friren.operations.admin.bases import ReadOnlyAdmin, ReferenceAdmin
from friren.operations.admin.columns import key_column
from friren.operations.admin.filters import AccountFilter, exact_filter, time_filter
from friren.operations.admin.panels import register_panel, related
from friren.persistence.handlers import apply_within
from friren.persistence.receipts import Receipt, WriteOutcome
from portfolio_manager.admin.explanation import explanation_page
from portfolio_manager.admin.timeline import account_timeline, idea_timeline
from portfolio_manager.data_logger import TradeIdeaService
from portfolio_manager.ideas.moves import switch_fact
from portfolio_manager.models import AccountSnapshot, DecisionHistory, IdeaOutcome, RiskConfig, Strategy, TradeIdea
from portfolio_manager.models.choices import DecisionAction
from portfolio_manager.models.conditions import NAMES
from trading_engine.admin.shared import DECISIONS, SYMBOL_FILTER
from trading_engine.models import (
    CalendarSnapshot,
    CandleSnapshot,
    IndicatorSnapshot,
    NewsSnapshot,
    Order,
    Symbol,
    Trade,
)

__all__ = ["DecisionHistoryAdmin", "IdeaOutcomeAdmin", "RiskConfigAdmin", "StrategyAdmin", "TradeIdeaAdmin"]

REVIEW: Final = "portfolio_manager.change_tradeidea"


class ReviewForm(ActionForm):
    """What stands beside the action: why."""

    reason = forms.CharField(required=False, max_length=1000, label="Reason")


@admin.register(TradeIdea)
class TradeIdeaAdmin(ReadOnlyAdmin):
    group = DECISIONS
    place = 1
    list_display = ("proposed_at", "account", "symbol", "direction", "status", "confidence_score", "quantity",
                    "entry_price", "stop_loss", "take_profit", "strategy", "reviewed_by", "id")  # fmt: skip
    list_filter = ("status", AccountFilter, SYMBOL_FILTER, exact_filter("strategy__name", label="Strategy"),
                   time_filter("proposed_at"), "direction")  # fmt: skip
    search_fields = ("symbol__ticker", "account__name", "id", "snapshot_ref")
    search_help_text = "A ticker, an account or an id, written in full."
    ordering = ("-proposed_at", "-id")
    sortable_by = ("proposed_at", "confidence_score")
    actions = ("approve", "reject")
    action_form = ReviewForm
    page_groups = (
        ("", ("account", "symbol", "direction", "status", "proposed_at", "strategy", "confidence_score")),
        ("What", ("entry_price", "entry_range", "stop_loss", "take_profit", "quantity", "expected_hold", "rationale",
                  "snapshot_ref")),
        ("Review", ("reviewed_by", "reviewed_at")),
        ("Execution", ("order", "trade")),
    )  # fmt: skip

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(REVIEW)

    @admin.action(permissions=["review"], description="Approve")
    def approve(self, request: HttpRequest, queryset: Any) -> None:
        reason = request.POST.get("reason", "").strip()
        self._review(
            request,
            queryset,
            "approved",
            lambda service, idea: service.approve(idea, reviewer=request.user.pk, reason=reason or None),
        )

    @admin.action(permissions=["review"], description="Reject, for the reason given")
    def reject(self, request: HttpRequest, queryset: Any) -> None:
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, "Say why: an idea is rejected for a reason.", messages.ERROR)
            return
        self._review(
            request,
            queryset,
            "rejected",
            lambda service, idea: service.reject(idea, reviewer=request.user.pk, reason=reason),
        )

    def _review(
        self, request: HttpRequest, queryset: Any, done: str, review: Callable[[TradeIdeaService, TradeIdea], Receipt]
    ) -> None:
        """Review each idea by itself: one that cannot be is told, and keeps no other from it."""
        reviewed = 0
        for idea in queryset.order_by("pk"):
            try:
                with TradeIdeaService(idea.account_id) as service:
                    receipt = review(service, idea)
            except FrirenError as exc:
                self.message_user(request, f"{idea.pk}: {exc}", messages.ERROR)
                continue
            if receipt.outcome is WriteOutcome.DUPLICATE:
                self.message_user(request, f"{idea.pk} is {done} already.", messages.WARNING)
            else:
                reviewed += 1
        if reviewed:
            self.message_user(request, f"{reviewed} {'idea' if reviewed == 1 else 'ideas'} {done}.", messages.SUCCESS)


@admin.register(DecisionHistory)
class DecisionHistoryAdmin(ReadOnlyAdmin):
    group = DECISIONS
    place = 2
    date_hierarchy = "occurred_at"
    list_display = ("occurred_at", "account", "symbol", "action", "from_status", "to_status", "rationale",
                    "confidence_score", "human_override", "actor", key_column("trade_idea"), "id")  # fmt: skip
    list_filter = ("action", AccountFilter, SYMBOL_FILTER, exact_filter("strategy__name", label="Strategy"),
                   time_filter("occurred_at"), "human_override")  # fmt: skip
    search_fields = ("symbol__ticker", "account__name", "trade_idea", "id", "snapshot_ref")
    search_help_text = "A ticker, an account, an idea or an id, written in full."
    ordering = ("-occurred_at", "-id")
    sortable_by = ("occurred_at",)
    page_groups = (
        ("", ("account", "symbol", "action", "from_status", "to_status", "occurred_at", "rationale")),
        ("By", ("actor", "human_override", "strategy")),
        ("About", ("trade_idea", "confidence_score", "risk_check_result", "snapshot_ref")),
    )

    def get_urls(self) -> list[Any]:
        """Add the pages that show how one thing led to another."""
        pages = (
            ("explanation/<uuid:trade>/", explanation_page, "friren_explanation"),
            ("of-idea/<uuid:idea>/", idea_timeline, "friren_decisions_of_idea"),
            ("of-account/<uuid:account>/", account_timeline, "friren_decisions_of_account"),
        )
        own = [path(route, self.admin_site.admin_view(view), name=name) for route, view, name in pages]
        return [*own, *super().get_urls()]


@admin.register(IdeaOutcome)
class IdeaOutcomeAdmin(ReadOnlyAdmin):
    group = DECISIONS
    place = 3
    list_display = ("due_at", "account", key_column("trade_idea"), "reached", "entry_price", "exit_price",
                    "exit_reason", "price_after", "pnl_per_unit", "pnl", "id")  # fmt: skip
    list_filter = (AccountFilter, "exit_reason", "reached", time_filter("due_at"))
    search_fields = ("account__name", "trade_idea", "id")
    ordering = ("-due_at", "-id")
    sortable_by = ("due_at",)


# How each part of a strategy is written.
WRITTEN: Final = {
    "entry_conditions": 'All must hold: {"direction": "long", "when": ["rsi_14 < 30", "close > sma_200"], '
    '"confidence": 0.8}. Known are ' + ", ".join(NAMES) + ".",
    "exit_rules": 'In average ranges (atr) from the entry: {"stop_atr": 2, "target_atr": 4, "hold": "5d"}.',
    "forbidden_conditions": 'None may hold: {"when": ["atr > 20"]}.',
}


@admin.register(Strategy)
class StrategyAdmin(ReferenceAdmin):
    group = DECISIONS
    place = 4
    list_display = ("name", "is_active", "allowed_symbols", "rr_expectation", "updated_at")
    list_filter = ("is_active",)
    search_fields = ("name", "id")
    ordering = ("name",)
    managed = ("id", "created_at", "updated_at")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name in WRITTEN:
            field.help_text = WRITTEN[db_field.name]
        return field


@admin.register(RiskConfig)
class RiskConfigAdmin(ReferenceAdmin):
    group = DECISIONS
    place = 5
    list_display = ("id", "ai_trading_enabled", "min_confidence_threshold", "max_lot_size", "max_concurrent_trades",
                    "max_drawdown_amount", "daily_profit_target", "last_halt_reason", "updated_at")  # fmt: skip
    ordering = ("id",)
    managed = ("last_halt_reason", "updated_at", "updated_by")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the row, which the first look makes."""
        RiskConfig.load()
        return super().changelist_view(request, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Turning the switch is a decision about all books: it is written as one, and halts or resumes their ideas."""
        user: Any = request.user
        obj.updated_by = user
        if "ai_trading_enabled" in form.changed_data:
            action = DecisionAction.AI_RESUMED if obj.ai_trading_enabled else DecisionAction.AI_HALTED
            reason = f"switched {'on' if obj.ai_trading_enabled else 'off'} by {user.get_username()}"
            apply_within(switch_fact(action, at=timezone.now(), reason=reason, actor=user.pk), using="default")
            if not obj.ai_trading_enabled:
                obj.last_halt_reason = reason
        super().save_model(request, obj, form, change)


IDEA_COLUMNS = ("proposed_at", "direction", "entry_price", "quantity", "confidence_score", "status")
DECISION_COLUMNS = ("occurred_at", "action", "from_status", "to_status", "rationale", "actor")
SEEN = {"key": "snapshot_ref"}
BY_CAPTURE = ("captured_at", "id")

register_panel(
    TradeIdea,
    related(DecisionHistory, "trade_idea", *DECISION_COLUMNS, order=("occurred_at", "recorded_seq"),
            title="Decisions"),
    related(IdeaOutcome, "trade_idea", "due_at", "reached", "entry_price", "exit_price", "exit_reason", "price_after",
            "pnl_per_unit", "pnl", order=("id",), title="What would have come of it"),
    related(CandleSnapshot, "snapshot_ref", "symbol", "timeframe", "open", "high", "low", "close", "volume",
            order=BY_CAPTURE, title="Seen: candles", **SEEN),
    related(IndicatorSnapshot, "snapshot_ref", "symbol", "timeframe", "rsi_14", "sma_50", "sma_200", "macd", "atr",
            order=BY_CAPTURE, title="Seen: indicators", **SEEN),
    related(CalendarSnapshot, "snapshot_ref", "event_time", "currency", "impact_level", "title", "forecast_value",
            order=BY_CAPTURE, title="Seen: calendar", **SEEN),
    related(NewsSnapshot, "snapshot_ref", "published_at", "headline", "source", order=BY_CAPTURE, title="Seen: news",
            **SEEN),
    related(AccountSnapshot, "snapshot_ref", "captured_at", "balance", "equity", "open_pl", "open_positions",
            order=BY_CAPTURE, title="Seen: account", **SEEN),
)  # fmt: skip
register_panel(Strategy, related(TradeIdea, "strategy", *IDEA_COLUMNS, order=("-id",), title="Latest ideas"))
register_panel(Symbol, related(TradeIdea, "symbol", *IDEA_COLUMNS, "account", order=("-created_at",),
                               title="Latest ideas"))  # fmt: skip
for fact, name in ((Order, "order"), (Trade, "trade")):
    register_panel(fact, related(TradeIdea, name, *IDEA_COLUMNS, order=("id",), title="Idea"))
