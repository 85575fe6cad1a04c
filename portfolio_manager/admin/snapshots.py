"""How books stood, the books under other systems' names, and what people write about them."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib import admin
from django.http import HttpRequest

from friren.core.models import Account, User
from friren.operations.admin.bases import ReadOnlyAdmin, ReferenceAdmin
from friren.operations.admin.filters import AccountFilter, time_filter
from friren.operations.admin.panels import register_panel, related
from portfolio_manager.admin.books import BOOKS, AccountStateAdmin, PositionAdmin
from portfolio_manager.models import (
    AccountSnapshot,
    AccountTotals,
    BacktestTrade,
    PortfolioHistory,
    PortfolioSnapshot,
    PortfolioState,
    Position,
    TradingJournal,
)
from trading_engine.admin.shared import BACKTESTS, PAIR_FILTER
from trading_engine.admin.snapshots import SnapshotAdmin

__all__ = [
    "AccountSnapshotAdmin",
    "AccountTotalsAdmin",
    "BacktestTradeAdmin",
    "PortfolioHistoryAdmin",
    "PortfolioSnapshotAdmin",
    "PortfolioStateAdmin",
    "TradingJournalAdmin",
]

FIGURES: Final = ("balance", "total_invested", "total_value", "realized_pnl", "total_unrealized_pnl",
                  "total_commission", "open_positions", "trade_count")  # fmt: skip


@admin.register(AccountSnapshot)
class AccountSnapshotAdmin(SnapshotAdmin):
    place = 15
    list_display = ("captured_at", "account", "balance", "equity", "margin_used", "margin_free", "open_pl",
                    "open_positions", "snapshot_ref")  # fmt: skip
    list_filter = (AccountFilter, time_filter("captured_at"))


@admin.register(PortfolioSnapshot)
class PortfolioSnapshotAdmin(ReadOnlyAdmin):
    group = BOOKS
    place = 10
    list_display: Any = ("timestamp", "account", "kind", *FIGURES, "source")
    list_filter: ClassVar[Any] = (AccountFilter, "kind", time_filter("timestamp"))
    search_fields = ("account__name", "id")
    ordering = ("-timestamp", "-id")
    sortable_by = ("timestamp",)


@admin.register(PortfolioHistory)
class PortfolioHistoryAdmin(PortfolioSnapshotAdmin):
    place = 11
    list_display = ("timestamp", "snapshot_date", "account", *FIGURES, "source")
    list_filter = (AccountFilter, time_filter("timestamp"))


@admin.register(AccountTotals)
class AccountTotalsAdmin(PortfolioSnapshotAdmin):
    place = 12
    list_display = ("timestamp", "account", "realized_pnl", "total_unrealized_pnl", "total_margin", "total_commission",
                    "source")  # fmt: skip
    list_filter = (AccountFilter, time_filter("timestamp"))


@admin.register(PortfolioState)
class PortfolioStateAdmin(AccountStateAdmin):
    place = 13


@admin.register(BacktestTrade)
class BacktestTradeAdmin(PositionAdmin):
    group = BACKTESTS
    place = 4
    list_display: Any = (*PositionAdmin.list_display[:3], "pair", *PositionAdmin.list_display[3:])
    list_select_related: ClassVar[Any] = (*PositionAdmin.list_select_related, "pair__symbol_1", "pair__symbol_2")
    list_filter: ClassVar[Any] = (*PositionAdmin.list_filter, PAIR_FILTER)


@admin.register(TradingJournal)
class TradingJournalAdmin(ReferenceAdmin):
    group = BOOKS
    place = 14
    list_display = ("entered_at", "title", "user", "account", "trade", "tags")
    list_filter = (AccountFilter, time_filter("entered_at"))
    search_fields = ("title", "account__name", "user__username")
    ordering = ("-entered_at", "-id")
    sortable_by = ("entered_at",)
    fields = ("title", "content", "account", "position", "trade", "tags", "user", "entered_at")
    raw_id_fields = ("account", "position", "trade")
    managed = ("user", "entered_at")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Let an entry be its writer's."""
        if not change:
            obj.user = request.user
        super().save_model(request, obj, form, change)


register_panel(
    Account,
    related(PortfolioSnapshot, "account", "timestamp", "kind", "total_value", "realized_pnl", "total_unrealized_pnl",
            order=("-timestamp",), title="Latest snapshots"),
    place=65,
)  # fmt: skip
register_panel(
    Position, related(TradingJournal, "position", "entered_at", "title", "user", order=("id",), title="Journal")
)
register_panel(User, related(TradingJournal, "user", "entered_at", "title", order=("-entered_at",), title="Journal"))
