"""The frames of this floor: positions, and how books stood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from friren.frames import Column, Kind, Question, register_frame
from portfolio_manager.booking import catch_up
from portfolio_manager.booking.reads import is_pending
from portfolio_manager.models import PortfolioSnapshot, Position
from trading_engine.stored_frames import account_id, narrowed

__all__ = ["register_all"]

POSITIONS: Final = (
    Column("id", "id", Kind.AS_TEXT),
    Column("account", "account__name", Kind.TEXT),
    Column("symbol", "symbol__ticker", Kind.TEXT),
    Column("symbol_venue", "symbol__venue", Kind.TEXT),
    Column("market", "market_id", Kind.TEXT),
    *(Column(name, name, Kind.TEXT) for name in ("instrument_type", "strategy_used", "side", "status")),
    *(
        Column(name, name, Kind.DECIMAL)
        for name in (
            "quantity", "total_cost", "opened_quantity", "opened_cost", "closed_quantity", "closed_proceeds",
            "realized_pnl", "commission",
        )
    ),
    Column("opened_at", "opened_at", Kind.TIME),
    Column("closed_at", "closed_at", Kind.TIME),
    Column("exit_reason", "exit_reason", Kind.TEXT),
    Column("regime_at_entry", "regime_at_entry", Kind.TEXT),
    *(Column(name, name, Kind.DECIMAL) for name in ("current_price", "current_value", "unrealized_pnl")),
    Column("marked_at", "marked_at", Kind.TIME),
)  # fmt: skip
EQUITY: Final = (
    Column("account", "account__name", Kind.TEXT),
    Column("kind", "kind", Kind.TEXT),
    Column("timestamp", "timestamp", Kind.TIME),
    *(
        Column(name, name, Kind.DECIMAL)
        for name in (
            "balance", "total_invested", "total_value", "total_profit_loss", "realized_pnl", "total_unrealized_pnl",
            "total_commission", "total_margin",
        )
    ),
    Column("open_positions", "open_positions", Kind.INTEGER),
    Column("trade_count", "trade_count", Kind.INTEGER),
    Column("source", "source", Kind.TEXT),
)  # fmt: skip


def register_all() -> None:
    """Register the frames of this floor."""
    known = frozenset({"account", "symbol", "strategy", "status", "start", "end"})
    register_frame("positions", Question(_positions, POSITIONS, known))
    register_frame("equity", Question(_equity, EQUITY, frozenset({"account", "kind", "start", "end"})))


def _positions(filters: Mapping[str, Any]) -> Any:
    if "account" in filters:
        account = account_id(filters["account"])
        if is_pending(account, using="default"):
            catch_up(account)
    rows = narrowed(Position.objects.all(), filters, time="opened_at")
    if "status" in filters:
        rows = rows.filter(status=filters["status"])
    return rows.order_by("opened_at", "id")


def _equity(filters: Mapping[str, Any]) -> Any:
    rows = narrowed(PortfolioSnapshot.objects.all(), filters, time="timestamp")
    if "kind" in filters:
        rows = rows.filter(kind=filters["kind"])
    return rows.order_by("account", "timestamp", "kind")
