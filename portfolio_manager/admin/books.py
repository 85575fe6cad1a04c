"""The books: projections of the facts, so nobody edits them; `rebuild_positions` computes them anew."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest

from friren.core.numbers import CONTEXT
from friren.operations.admin.bases import ReadOnlyAdmin
from friren.operations.admin.columns import computed, key_column, shown
from friren.operations.admin.filters import AccountFilter, exact_filter, time_filter
from portfolio_manager.models import AccountState, LedgerEntry, Position, PositionFill, ProfitPeak, RiskMetrics
from trading_engine.admin.shared import INSTRUMENT, STRATEGY_FILTER, SYMBOL_FILTER

__all__ = [
    "AccountStateAdmin", "LedgerEntryAdmin", "PositionAdmin", "PositionFillAdmin", "ProfitPeakAdmin",
    "RiskMetricsAdmin",
]  # fmt: skip

BOOKS: Final = "Books"


def _entry_price(position: Any) -> Any:
    """Return opened cost per unit; the position itself stores sums only."""
    multiplier = position.symbol.multiplier if position.symbol_id is not None else 1
    units = CONTEXT.multiply(position.opened_quantity, multiplier)
    # Shown to eight decimals: an average has no exact end.
    return shown(round(CONTEXT.divide(position.opened_cost, units), 8)) if units else None


ENTRY_PRICE: Final = computed("entry_price", _entry_price)


@admin.register(Position)
class PositionAdmin(ReadOnlyAdmin):
    group = BOOKS
    place = 1
    list_display = ("opened_at", "account", INSTRUMENT, "side", "quantity", ENTRY_PRICE, "current_price",
                    "realized_pnl", "unrealized_pnl", "commission", "strategy_used", "status", "closed_at",
                    key_column("trade", label="Opened by"))  # fmt: skip
    list_select_related = ("account", "symbol")
    list_filter = (AccountFilter, "status", SYMBOL_FILTER, STRATEGY_FILTER, time_filter("opened_at"),
                   time_filter("closed_at"), "side", "instrument_type", "regime_at_entry")  # fmt: skip
    search_fields = ("symbol__ticker", "account__name", "id", "round_trip")
    search_help_text = "A ticker, an account or an id, written in full."
    ordering = ("-opened_at", "-id")
    sortable_by = ("opened_at", "quantity", "realized_pnl", "commission")
    page_groups = (
        ("", ("account", "symbol", "market", "side", "status", "quantity", "opened_at", "closed_at", "trade")),
        ("Result", ("realized_pnl", "unrealized_pnl", "commission", "opened_quantity", "opened_cost",
                    "closed_quantity", "closed_proceeds", "total_cost")),
        ("Mark", ("current_price", "current_value", "margin", "liquidation_price", "marked_at")),
        ("How", ("strategy_used", "regime_at_entry", "instrument_type", "leverage", "stop_loss_price",
                 "target_price", "exit_reason", "round_trip", "pair", "slot")),
    )  # fmt: skip


@admin.register(PositionFill)
class PositionFillAdmin(ReadOnlyAdmin):
    group = BOOKS
    place = 2
    list_display = ("executed_at", "account", "position", "role", "quantity", "cost", "realized_pnl", "commission",
                    "quantity_after", "realized_pnl_after", key_column("trade"))  # fmt: skip
    list_filter = (AccountFilter, "role", time_filter("executed_at"))
    search_fields = ("trade", "position", "id")
    ordering = ("-executed_at", "-id")
    sortable_by = ("executed_at",)
    page_groups = (
        ("", ("account", "position", "role", "executed_at", "quantity", "cost", "realized_pnl", "commission")),
        ("Comes from", ("trade", "leg", "corporate_action", "resolution")),
        ("The position after it", ("quantity_after", "total_cost_after", "realized_pnl_after", "lots_after")),
    )

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Allow what the page of an order links to: the effect of all its trades."""
        return lookup == "trade__order" or super().lookup_allowed(lookup, value, request)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    group = BOOKS
    place = 3
    list_display = ("occurred_at", "account", "kind", "amount", "currency", key_column("trade"),
                    key_column("cash_movement"), key_column("corporate_action"), key_column("position"))  # fmt: skip
    list_select_related = ("account",)
    list_filter = (AccountFilter, "kind", exact_filter("currency", label="Currency"), time_filter("occurred_at"))
    search_fields = ("account__name", "trade", "position", "id")
    ordering = ("-occurred_at", "-id")
    sortable_by = ("occurred_at", "amount")
    page_groups = (
        ("", ("account", "kind", "amount", "currency", "occurred_at")),
        ("Comes from", ("trade", "cash_movement", "corporate_action", "resolution", "position")),
    )


@admin.register(AccountState)
class AccountStateAdmin(ReadOnlyAdmin):
    group = BOOKS
    place = 4
    list_display = ("updated_at", "account", "balance", "total_invested", "total_profit_loss", "trade_count",
                    "booked_seq")  # fmt: skip
    list_filter = (AccountFilter,)
    search_fields = ("account__name",)
    ordering = ("-updated_at", "-pk")
    sortable_by = ("updated_at", "balance", "total_profit_loss", "trade_count")


@admin.register(ProfitPeak)
class ProfitPeakAdmin(ReadOnlyAdmin):
    group = BOOKS
    place = 16
    list_display = ("until", "account", "profit", "highest", "booked_seq", "updated_at")
    list_filter = (AccountFilter,)
    search_fields = ("account__name",)
    ordering = ("-until", "-pk")
    sortable_by = ("until", "profit", "highest")


@admin.register(RiskMetrics)
class RiskMetricsAdmin(ReadOnlyAdmin):
    group = BOOKS
    place = 9
    list_display = ("as_of_date", "account", "portfolio_value", "total_exposure", "max_position_size", "var_estimate",
                    "correlation_risk", "timestamp")  # fmt: skip
    list_filter = (AccountFilter, time_filter("timestamp"))
    search_fields = ("account__name", "id")
    ordering = ("-as_of_date", "-id")
    sortable_by = ("as_of_date", "portfolio_value", "total_exposure")
