"""One handle hands out the loggers of both floors, and closes them together."""

from __future__ import annotations

from decimal import Decimal

import pytest

from friren.accounts import open_account
from portfolio_manager.data_logger import DataLogger
from tests.books import at

pytestmark = pytest.mark.usefixtures("database")


def test_both_floors_are_kept_by_one_handle() -> None:
    open_account("handle", starting_cash=Decimal(1000))
    with DataLogger("handle") as db:
        fill = db.portfolio.record_trade(symbol="AAPL", action="buy", quantity=2, price=10, timestamp=at(1))
        noted = db.decisions.log_decision(action="ai_halted", timestamp=at(2), rationale="enough")
        db.portfolio_snapshots.snapshot(at(3))

        assert [row.id for row in db.trades.get_trade_history()] == [fill.id]
        assert [row.id for row in db.decisions.get_decision_history()] == [noted.id]
        assert len(db.portfolio_snapshots.get_snapshot_history()) == 1
        db.portfolio.mark_to_market({"AAPL": 11}, at(3))
        assert db.risk.compute(at(4)).outcome == "STORED"
        assert db.ideas.get_active_ideas() == []
        assert db.portfolio is db.portfolio
        kept = db.portfolio

    with pytest.raises(RuntimeError, match="closed"):
        kept.update_position(fill)
    with pytest.raises(RuntimeError, match="closed"):
        db.ideas  # noqa: B018 - asking is the test
