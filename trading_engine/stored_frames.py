"""The frames of this floor: trades and prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from friren.accounts import AccountHandle, find_account
from friren.frames import Column, Kind, Question, register_frame
from trading_engine.models import Price, Trade
from trading_engine.symbols import rows_of_symbol

__all__ = ["account_id", "narrowed", "register_all"]

TRADES: Final = (
    Column("id", "id", Kind.AS_TEXT),
    Column("account", "account__name", Kind.TEXT),
    Column("symbol", "symbol__ticker", Kind.TEXT),
    Column("symbol_venue", "symbol__venue", Kind.TEXT),
    Column("market", "market_id", Kind.TEXT),
    Column("instrument_type", "instrument_type", Kind.TEXT),
    Column("action", "action", Kind.TEXT),
    Column("quantity", "quantity", Kind.DECIMAL),
    Column("price", "price", Kind.DECIMAL),
    Column("executed_at", "executed_at", Kind.TIME),
    Column("commission", "commission", Kind.DECIMAL),
    Column("commission_currency", "commission_currency", Kind.TEXT),
    Column("venue", "venue", Kind.TEXT),
    Column("external_id", "external_id", Kind.TEXT),
    Column("strategy_used", "strategy_used", Kind.TEXT),
    Column("model_id", "model_id", Kind.TEXT),
    Column("regime_at_entry", "regime_at_entry", Kind.TEXT),
    Column("sentiment_score", "sentiment_score", Kind.DECIMAL),
    Column("confidence_score", "confidence_score", Kind.DECIMAL),
    Column("reasoning", "reasoning", Kind.TEXT),
    Column("shap_values", "shap_values", Kind.AS_TEXT),
    Column("round_trip", "round_trip", Kind.AS_TEXT),
    Column("source_pnl", "source_pnl", Kind.DECIMAL),
    Column("status", "status", Kind.TEXT),
)
PRICES: Final = (
    Column("symbol", "symbol__ticker", Kind.TEXT),
    Column("venue", "symbol__venue", Kind.TEXT),
    Column("timestamp", "timestamp", Kind.TIME),
    Column("timeframe", "timeframe", Kind.TEXT),
    *(Column(name, name, Kind.DECIMAL) for name in ("open", "high", "low", "close", "volume", "adjusted_close")),
    Column("source", "source", Kind.TEXT),
    Column("is_suspect", "is_suspect", Kind.FLAG),
)


def register_all() -> None:
    """Register the frames of this floor."""
    known = frozenset({"account", "symbol", "strategy", "start", "end"})
    register_frame("trades", Question(_trades, TRADES, known))
    known = frozenset({"symbol", "timeframe", "source", "start", "end"})
    register_frame("prices", Question(_prices, PRICES, known))


def account_id(account: Any) -> Any:
    """Return the id of books given by name or handle. ConfigurationError: there are none."""
    return (account if isinstance(account, AccountHandle) else find_account(account)).id


def narrowed(rows: Any, filters: Mapping[str, Any], *, time: str) -> Any:
    """Return those of `rows` that filters leave: of an account, a symbol, a strategy, a time."""
    if "account" in filters:
        rows = rows.filter(account=account_id(filters["account"]))
    if "symbol" in filters:
        rows = rows_of_symbol(rows, filters["symbol"])
    if "strategy" in filters:
        rows = rows.filter(strategy_used=filters["strategy"])
    if "start" in filters:
        rows = rows.filter(**{f"{time}__gte": filters["start"]})
    if "end" in filters:
        rows = rows.filter(**{f"{time}__lt": filters["end"]})
    return rows


def _trades(filters: Mapping[str, Any]) -> Any:
    return narrowed(Trade.objects.all(), filters, time="executed_at").order_by("executed_at", "id")


def _prices(filters: Mapping[str, Any]) -> Any:
    rows = narrowed(Price.objects.all(), filters, time="timestamp")
    exact = {name: filters[name] for name in ("timeframe", "source") if name in filters}
    return rows.filter(**exact).order_by("symbol", "timestamp", "source", "timeframe")
