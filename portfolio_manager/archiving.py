"""Which tables of this floor may be archived, and from which age on; and which never, and why."""

from __future__ import annotations

import os
from typing import Final

from friren.environment import Environment
from friren.operations.archive import register_archive, register_kept
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
    RiskMetrics,
    TradeIdea,
)
from trading_engine.archiving import DAYS_MAX, snapshot_days

__all__ = ["register_all"]

BOOKS: Final = (
    AccountState, CashMovement, CorporateAction, LedgerEntry, MarketResolution, PeriodCheckpoint, PortfolioSnapshot,
    Position, PositionFill, RiskMetrics,
)  # fmt: skip
ACTIVE: Final = "('waiting', 'needs_approval', 'halted_by_risk')"
# An idea that may still move keeps what was decided about it.
DECIDED: Final = (
    f"NOT EXISTS (SELECT FROM portfolio_manager_tradeidea i WHERE i.id = t.trade_idea_id AND i.status IN {ACTIVE})"
)


def register_all() -> None:
    """
    Register the policies of this floor.

    Ideas, decisions and outcomes do not go on to files: a status is held to the decisions that tell of it, so they
    lie where they can be asked about.
    """
    env = Environment(os.environ)
    for model in BOOKS:
        register_kept(model, "the books stay whole, closed periods too")
    register_archive(AccountSnapshot, time="captured_at", days=snapshot_days(env))
    days = env.integer("RETENTION_DECISION_DAYS", default=90, maximum=DAYS_MAX)
    register_archive(DecisionHistory, time="occurred_at", days=days, movable=DECIDED, cold=False)
    days = env.integer("RETENTION_IDEA_DAYS", default=90, maximum=DAYS_MAX)
    register_archive(IdeaOutcome, time="due_at", days=days, cold=False)
    register_archive(TradeIdea, time="proposed_at", days=days, movable=f"t.status NOT IN {ACTIVE}", cold=False)
