"""Signals, orders, trades and their status events: what was advised, meant and done."""

from __future__ import annotations

from django.contrib import admin

from friren.core.models import Account
from friren.operations.admin.bases import ReadOnlyAdmin
from friren.operations.admin.columns import key_column
from friren.operations.admin.filters import AccountFilter, exact_filter, time_filter
from friren.operations.admin.panels import register_panel, related
from trading_engine.admin.shared import INSTRUMENT, PAIR_FILTER, STRATEGY_FILTER, SYMBOL_FILTER, TRADING
from trading_engine.models import Order, OrderStatusEvent, Signal, Symbol, Trade, TradeStatusEvent, TradingPair

__all__ = ["OrderAdmin", "OrderStatusEventAdmin", "SignalAdmin", "TradeAdmin", "TradeStatusEventAdmin"]

TRADE_COLUMNS = ("executed_at", "action", "quantity", "price", "commission", "status")
ORDER_COLUMNS = ("requested_at", "action", "type", "quantity", "limit_price", "status")
EVENT_COLUMNS = ("occurred_at", "from_status", "to_status", "reason", "changed_by")


@admin.register(Trade)
class TradeAdmin(ReadOnlyAdmin):
    group = TRADING
    place = 1
    list_display = ("executed_at", "account", INSTRUMENT, "action", "quantity", "price", "commission", "status",
                    "strategy_used", "regime_at_entry", key_column("order"), "id")  # fmt: skip
    list_select_related = ("account", "symbol")
    list_filter = (AccountFilter, SYMBOL_FILTER, STRATEGY_FILTER, time_filter("executed_at"), "status", "action",
                   "instrument_type", "regime_at_entry")  # fmt: skip
    search_fields = ("symbol__ticker", "account__name", "id", "external_id", "round_trip")
    search_help_text = "A ticker, an account, an id or the venue's id, written in full."
    ordering = ("-executed_at", "-id")
    sortable_by = ("executed_at",)
    page_groups = (
        ("", ("account", "symbol", "market", "pair", "action", "quantity", "price", "amount", "executed_at", "status")),
        ("Order and venue", ("order", "venue", "external_id", "liquidity", "expected_price", "received_at", "tags")),
        ("Costs and limits", ("commission", "commission_currency", "leverage", "stop_loss_price", "target_price")),
        ("Evidence", ("strategy_used", "model_id", "regime_at_entry", "confidence_score", "sentiment_score",
                      "reasoning", "shap_values")),
        ("Round trip and corrections", ("round_trip", "exit_reason", "source_pnl", "corrects")),
        ("Market", ("market_question", "event", "event_title", "event_ends_at")),
    )  # fmt: skip


@admin.register(TradeStatusEvent)
class TradeStatusEventAdmin(ReadOnlyAdmin):
    group = TRADING
    place = 4
    list_display = ("occurred_at", "account", "trade", "from_status", "to_status", "reason", "changed_by")
    list_filter = (AccountFilter, "to_status", time_filter("occurred_at"))
    search_fields = ("account__name", "trade", "id")
    ordering = ("-occurred_at", "-id")
    sortable_by = ("occurred_at",)


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    group = TRADING
    place = 2
    list_display = ("requested_at", "account", INSTRUMENT, "action", "type", "quantity", "limit_price", "stop_price",
                    "strategy_used", "status", key_column("signal"), "id")  # fmt: skip
    list_select_related = ("account", "symbol")
    list_filter = (AccountFilter, SYMBOL_FILTER, STRATEGY_FILTER, time_filter("requested_at"), "status", "action",
                   "type")  # fmt: skip
    search_fields = ("symbol__ticker", "account__name", "id", "external_id", "round_trip")
    search_help_text = "A ticker, an account, an id or the venue's order id, written in full."
    ordering = ("-requested_at", "-id")
    sortable_by = ("requested_at",)
    page_groups = (
        ("", ("account", "symbol", "market", "pair", "action", "type", "time_in_force", "quantity", "limit_price",
              "stop_price", "status")),
        ("Times", ("requested_at", "submitted_at", "expires_at")),
        ("Why", ("signal", "strategy_used", "reasoning", "round_trip")),
        ("Limits", ("stop_loss_price", "target_price", "leverage")),
        ("Venue", ("venue", "external_id", "tags")),
    )  # fmt: skip


@admin.register(OrderStatusEvent)
class OrderStatusEventAdmin(ReadOnlyAdmin):
    group = TRADING
    place = 5
    list_display = ("occurred_at", "account", "order", "from_status", "to_status", "reason", "changed_by")
    list_filter = (AccountFilter, "to_status", time_filter("occurred_at"))
    search_fields = ("account__name", "order", "id")
    ordering = ("-occurred_at", "-id")
    sortable_by = ("occurred_at",)


@admin.register(Signal)
class SignalAdmin(ReadOnlyAdmin):
    group = TRADING
    place = 3
    list_display = ("timestamp", "account", INSTRUMENT, "signal_type", "strategy_name", "confidence_score",
                    "processed", "executed", key_column("trade"), "id")  # fmt: skip
    list_select_related = ("account", "symbol", "pair__symbol_1", "pair__symbol_2")
    list_filter = (AccountFilter, SYMBOL_FILTER, PAIR_FILTER,
                   exact_filter("strategy_name", label="Strategy", parameter="strategy"), time_filter("timestamp"),
                   "signal_type", "kind", "processed", "executed")  # fmt: skip
    search_fields = ("symbol__ticker", "account__name", "id", "batch_id")
    search_help_text = "A ticker, an account or an id, written in full."
    ordering = ("-timestamp", "-id")
    sortable_by = ("timestamp",)
    page_groups = (
        ("", ("account", "kind", "symbol", "pair", "market", "signal_type", "timestamp", "strategy_name", "regime")),
        ("Outcome", ("processed", "processed_at", "executed", "executed_at", "trade")),
        ("Evidence", ("confidence_score", "z_score", "spread_value", "target_price", "amount", "reasoning", "extra")),
        ("Market", ("market_question", "yes_price", "no_price", "market_liquidity", "market_volume", "event",
                    "event_title", "event_ends_at")),
    )  # fmt: skip


BY_TIME = ("-executed_at", "-id")

register_panel(
    Order,
    related(Trade, "order", *TRADE_COLUMNS, order=("executed_at", "id")),
    related(OrderStatusEvent, "order", *EVENT_COLUMNS, order=("occurred_at", "id"), title="Status"),
)
register_panel(
    Trade,
    related(Trade, "corrects", *TRADE_COLUMNS, order=("id",), title="Corrected by"),
    related(Trade, "round_trip", *TRADE_COLUMNS, order=("executed_at", "id"), key="round_trip", title="Round trip"),
    related(Signal, "trade", "timestamp", "signal_type", "strategy_name", "confidence_score", order=("id",)),
    related(TradeStatusEvent, "trade", *EVENT_COLUMNS, order=("occurred_at", "id"), title="Status"),
)
register_panel(Signal, related(Order, "signal", *ORDER_COLUMNS, order=("requested_at", "id")))
register_panel(
    Symbol,
    related(Trade, "symbol", *TRADE_COLUMNS, "account", order=BY_TIME, title="Latest trades"),
    related(Order, "symbol", *ORDER_COLUMNS, "account", order=("-requested_at", "-id"), title="Latest orders"),
    related(Signal, "symbol", "timestamp", "signal_type", "strategy_name", "executed", "account",
            order=("-timestamp", "-id"), title="Latest signals"),
)  # fmt: skip
register_panel(
    TradingPair,
    related(Signal, "pair", "timestamp", "signal_type", "z_score", "executed", "account", order=("-timestamp",),
            title="Latest signals"),
    related(Trade, "pair", "executed_at", "symbol", *TRADE_COLUMNS[1:], "account", order=BY_TIME,
            title="Latest trades"),
)  # fmt: skip
register_panel(
    Account,
    related(Trade, "account", "executed_at", "symbol", *TRADE_COLUMNS[1:], order=BY_TIME, title="Latest trades"),
    related(Order, "account", "requested_at", "symbol", *ORDER_COLUMNS[1:], order=("-requested_at", "-id"),
            title="Latest orders"),
    related(Signal, "account", "timestamp", "symbol", "signal_type", "strategy_name", "executed",
            order=("-timestamp", "-id"), title="Latest signals"),
)  # fmt: skip
