"""What the system saw when it decided, pairs, and archived signals."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin

from friren.operations.admin.bases import ReadOnlyAdmin, ReferenceAdmin
from friren.operations.admin.filters import AccountFilter, exact_filter, time_filter
from friren.operations.admin.panels import register_panel, related
from trading_engine.admin.shared import BACKTESTS, DECISIONS, MARKET_DATA, TRADING
from trading_engine.models import (
    BacktestPair,
    BacktestRun,
    CalendarSnapshot,
    CandleSnapshot,
    IndicatorSnapshot,
    NewsSnapshot,
    SignalArchive,
    TradingPair,
)

__all__ = [
    "BacktestPairAdmin",
    "CalendarSnapshotAdmin",
    "CandleSnapshotAdmin",
    "IndicatorSnapshotAdmin",
    "NewsSnapshotAdmin",
    "SignalArchiveAdmin",
    "SnapshotAdmin",
    "TradingPairAdmin",
]


class SnapshotAdmin(ReadOnlyAdmin):
    """A kind of snapshot: by time, and by the decision it was captured for."""

    group = DECISIONS
    list_filter: ClassVar[Any] = (time_filter("captured_at"),)
    search_fields: ClassVar[Any] = ("snapshot_ref", "id")
    search_help_text = "The reference of a decision or an id, written in full."
    ordering = ("-captured_at", "-id")
    sortable_by = ("captured_at",)


@admin.register(CandleSnapshot)
class CandleSnapshotAdmin(SnapshotAdmin):
    place = 11
    list_display = ("captured_at", "symbol", "timeframe", "open", "high", "low", "close", "volume", "snapshot_ref")
    list_filter = (exact_filter("symbol", label="Symbol"), time_filter("captured_at"))
    search_fields = ("symbol", "snapshot_ref", "id")


@admin.register(IndicatorSnapshot)
class IndicatorSnapshotAdmin(SnapshotAdmin):
    place = 12
    list_display = ("captured_at", "symbol", "timeframe", "rsi_14", "sma_50", "sma_200", "macd", "atr", "snapshot_ref")
    list_filter = (exact_filter("symbol", label="Symbol"), time_filter("captured_at"))
    search_fields = ("symbol", "snapshot_ref", "id")


@admin.register(CalendarSnapshot)
class CalendarSnapshotAdmin(SnapshotAdmin):
    place = 13
    list_display = ("captured_at", "event_time", "currency", "impact_level", "title", "previous_value",
                    "forecast_value", "actual_value", "snapshot_ref")  # fmt: skip
    list_filter = (exact_filter("currency", label="Currency"), "impact_level", time_filter("event_time"),
                   time_filter("captured_at"))  # fmt: skip


@admin.register(NewsSnapshot)
class NewsSnapshotAdmin(SnapshotAdmin):
    place = 14
    list_display = ("captured_at", "published_at", "headline", "source", "symbols", "snapshot_ref")
    list_filter = (exact_filter("source", label="Source"), time_filter("published_at"), time_filter("captured_at"))


@admin.register(SignalArchive)
class SignalArchiveAdmin(ReadOnlyAdmin):
    group = TRADING
    place = 6
    list_display = ("archived_at", "account", "archive_month", "signals_count", "id")
    list_filter = (AccountFilter, exact_filter("archive_month", label="Month"), time_filter("archived_at"))
    search_fields = ("account__name", "archive_month", "id")
    ordering = ("-archived_at", "-id")
    sortable_by = ("archived_at",)


@admin.register(TradingPair)
class TradingPairAdmin(ReferenceAdmin):
    group = MARKET_DATA
    place = 9
    list_display = ("id", "symbol_1", "symbol_2", "hedge_ratio", "cointegration_pvalue", "half_life", "correlation",
                    "stability_score", "lookback_days", "is_active", "updated_at")  # fmt: skip
    list_filter = ("is_active",)
    search_fields = ("symbol_1__ticker", "symbol_2__ticker")
    ordering = ("-id",)
    raw_id_fields = ("symbol_1", "symbol_2")
    frozen = ("symbol_1", "symbol_2")
    managed = ("created_at", "updated_at")


@admin.register(BacktestPair)
class BacktestPairAdmin(ReadOnlyAdmin):
    group = BACKTESTS
    place = 3
    list_display = ("id", "account", "backtest", "pair")
    list_select_related = ("account", "backtest", "pair__symbol_1", "pair__symbol_2")
    list_filter = (AccountFilter,)
    ordering = ("-id",)
    sortable_by = ("id",)


register_panel(BacktestRun, related(BacktestPair, "backtest", "id", "pair", order=("id",), title="Pairs"))
