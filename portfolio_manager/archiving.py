"""Which tables of this floor may be archived, and from which age on; and which never, and why."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from django.db import models

from friren.environment import Environment
from friren.operations.archive import Bundle, register_archive, register_bundle, register_kept
from portfolio_manager.booking.leaving import BookArchive
from portfolio_manager.models import (
    AccountSnapshot,
    AccountState,
    CashMovement,
    CorporateAction,
    DecisionHistory,
    IdeaOutcome,
    LedgerEntry,
    MarketResolution,
    PeriodCheckpoint,
    PortfolioSnapshot,
    Position,
    PositionFill,
    ProfitPeak,
    ReconciliationBreak,
    RiskMetrics,
    TradeIdea,
)
from portfolio_manager.models.choices import IdeaStatus
from trading_engine.archiving import DAYS_MAX, snapshot_days
from trading_engine.models import (
    Order,
    OrderStatusEvent,
    SentimentData,
    Signal,
    Trade,
    TradeSentiment,
    TradeStatusEvent,
)
from trading_engine.models.orders import OPEN_ORDER_STATUSES

__all__ = ["register_all"]

BOOKS: Final = "books"
KEPT: Final = (AccountState, CorporateAction, MarketResolution, PeriodCheckpoint)
# Of closed periods, whole knots of rows at a time: the model, its time, and the columns by which it is found there.
GOING: Final[tuple[tuple[type[models.Model], str, tuple[str, ...]], ...]] = (
    (Position, "closed_at", ("account_id", "trade_id")),
    (PositionFill, "executed_at", ("position_id", "trade_id", "account_id")),
    (LedgerEntry, "occurred_at", ("trade_id", "position_id", "cash_movement_id", "account_id")),
    (CashMovement, "occurred_at", ("account_id", "corrects_id")),
    (Trade, "executed_at", ("account_id", "order_id", "corrects_id", "round_trip")),
    (TradeStatusEvent, "occurred_at", ("trade_id",)),
    (TradeSentiment, "", ("trade_id", "sentiment_id")),
    (Order, "requested_at", ("account_id", "signal_id")),
    (OrderStatusEvent, "occurred_at", ("order_id",)),
)

# What copies in files have beside the columns of the table.
PRODUCTS: Final[Mapping[type[models.Model], Mapping[str, str]]] = {
    Trade: {"notional": "coalesce(t.amount, t.quantity * t.price)"},
    Position: {"net_pnl": "t.realized_pnl - t.commission"},
    PositionFill: {"net_pnl": "t.realized_pnl - t.commission"},
}

# Nothing moves such an idea any more, and no order of it is still to be filled.
_DONE: Final = f"""
    t.status IN ('{IdeaStatus.AUTO_EXECUTED}', '{IdeaStatus.REJECTED}') AND NOT EXISTS (
        SELECT FROM {Order._meta.db_table} o
        WHERE o.id = t.order_id AND o.status IN ({", ".join(f"'{status}'" for status in OPEN_ORDER_STATUSES)})
    )
"""
# What was decided about an idea that may still move stays beside it.
_DECIDED: Final = f"""
    NOT EXISTS (
        SELECT FROM {TradeIdea._meta.db_table} i WHERE i.id = t.trade_idea_id
        AND i.status NOT IN ('{IdeaStatus.AUTO_EXECUTED}', '{IdeaStatus.REJECTED}')
    )
"""
# Goes with its idea: one that was still there would be worked out anew.
_ALONE: Final = f"""
    NOT EXISTS (SELECT FROM {DecisionHistory._meta.db_table} d WHERE d.trade_idea_id = t.trade_idea_id)
"""


def register_all() -> None:
    """Register the policies of this floor. An age of 0 days: only when `archive --older-than` asks for it."""
    env = Environment(os.environ)
    decisions = env.integer("RETENTION_DECISION_DAYS", default=90, maximum=DAYS_MAX)
    ideas = env.integer("RETENTION_IDEA_DAYS", default=90, maximum=DAYS_MAX)
    register_archive(AccountSnapshot, time="captured_at", days=snapshot_days())
    # Who decided what, and why, stays in the database.
    register_archive(DecisionHistory, time="occurred_at", days=decisions, movable=_DECIDED, cold=False)
    register_archive(IdeaOutcome, time="due_at", days=ideas, movable=_ALONE, cold=False)
    register_archive(TradeIdea, time="proposed_at", days=ideas, movable=_DONE, cold=False)
    trades = env.integer("RETENTION_TRADE_DAYS", default=0, maximum=DAYS_MAX)
    for model, time, indexed in GOING:
        register_archive(
            model, bundle=BOOKS, time=time, days=trades, indexed=indexed, cold=False, products=PRODUCTS.get(model)
        )
    # A signal that led to a trade goes with it; the sentiment that one was made on comes back with it.
    companions = (Signal, SentimentData)
    register_bundle(Bundle(BOOKS, keeper=BookArchive(), days=trades, companions=companions))
    for model in KEPT:
        register_kept(model, "few rows, and the books are read by them")
    register_kept(ReconciliationBreak, "the next reconciliation looks for what was found before")
    register_kept(ProfitPeak, "one row per account")
    for kept in (PortfolioSnapshot, RiskMetrics):
        register_kept(kept, "one row a day is kept for good")
