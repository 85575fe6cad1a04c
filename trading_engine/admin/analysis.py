"""Regimes and backtests."""

from __future__ import annotations

from django.contrib import admin

from friren.core.models import Account
from friren.operations.admin.bases import ReadOnlyAdmin
from friren.operations.admin.filters import AccountFilter, exact_filter, time_filter
from friren.operations.admin.panels import register_panel, related
from trading_engine.admin.shared import BACKTESTS, MARKET_DATA, SYMBOL_FILTER
from trading_engine.models import BacktestResult, BacktestRun, MarketRegime, RegimeHistory, Signal

__all__ = ["BacktestResultAdmin", "BacktestRunAdmin", "MarketRegimeAdmin", "RegimeHistoryAdmin"]

FIGURES = ("total_return", "annualized_return", "sharpe_ratio", "sortino_ratio", "max_drawdown", "win_rate",
           "profit_factor", "trade_count")  # fmt: skip
DETECTOR_FILTER = exact_filter("detector", label="Detector")


@admin.register(MarketRegime)
class MarketRegimeAdmin(ReadOnlyAdmin):
    group = MARKET_DATA
    place = 6
    list_display = ("started_at", "ended_at", "regime_type", "detector", "symbol", "account", "vix_average",
                    "volatility_score", "macro_score")  # fmt: skip
    list_filter = ("regime_type", DETECTOR_FILTER, SYMBOL_FILTER, AccountFilter, time_filter("started_at"))
    search_fields = ("symbol__ticker", "account__name", "id", "detector")
    ordering = ("-started_at", "-id")
    sortable_by = ("started_at",)


@admin.register(RegimeHistory)
class RegimeHistoryAdmin(ReadOnlyAdmin):
    group = MARKET_DATA
    place = 7
    list_display = ("timestamp", "regime_type", "previous_regime_type", "detector", "symbol", "account",
                    "confidence_score", "vix_average", "volatility_score", "id")  # fmt: skip
    list_filter = ("regime_type", DETECTOR_FILTER, SYMBOL_FILTER, AccountFilter, time_filter("timestamp"))
    search_fields = ("symbol__ticker", "account__name", "id", "detector")
    ordering = ("-timestamp", "-id")
    sortable_by = ("timestamp",)


@admin.register(BacktestRun)
class BacktestRunAdmin(ReadOnlyAdmin):
    group = BACKTESTS
    place = 1
    list_display = ("name", "account", "strategy_name", "starts_at", "ends_at", "engine", "status", "created_at",
                    "finished_at")  # fmt: skip
    list_filter = ("status", exact_filter("strategy_name", label="Strategy", parameter="strategy"),
                   exact_filter("engine", label="Engine"), time_filter("created_at"))  # fmt: skip
    search_fields = ("name", "account__name", "strategy_name", "id")
    ordering = ("-created_at", "-id")
    page_groups = (
        ("", ("name", "account", "strategy_name", "user", "starts_at", "ends_at", "status", "status_message",
              "finished_at")),
        ("How", ("parameters", "seed", "engine", "engine_version", "code_version", "data_digest")),
    )  # fmt: skip


@admin.register(BacktestResult)
class BacktestResultAdmin(ReadOnlyAdmin):
    group = BACKTESTS
    place = 2
    list_display = ("created_at", "backtest", "account", *FIGURES)
    list_filter = (AccountFilter, time_filter("created_at"))
    search_fields = ("account__name",)
    ordering = ("-created_at", "-id")
    sortable_by = ("created_at", "total_return", "max_drawdown", "trade_count")
    page_groups = (("", ("backtest", "account", *FIGURES, "avg_holding_period", "detailed_metrics")),)


register_panel(
    MarketRegime,
    related(RegimeHistory, "market_regime", "timestamp", "regime_type", "confidence_score", "detector",
            order=("id",), title="Observations"),
    related(Signal, "regime", "timestamp", "signal_type", "strategy_name", "account", order=("id",)),
)  # fmt: skip
register_panel(BacktestRun, related(BacktestResult, "backtest", "total_return", *FIGURES[1:], order=("id",)))
register_panel(
    Account,
    related(BacktestRun, "account", "name", "strategy_name", "starts_at", "ends_at", "status", order=("id",)),
    place=20,
)
