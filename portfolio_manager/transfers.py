"""What exports leave out of this floor, because an import makes it anew of the facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from portfolio_manager.blueprint_export import write_blueprint
from portfolio_manager.booking import catch_up
from portfolio_manager.models import AccountState, LedgerEntry, Position, PositionFill, ProfitPeak, RiskConfig
from trading_engine.data.transfer.registry import register_after_import, register_left_out, register_seeded
from trading_engine.data.transfer.shapes import register_shape

__all__ = ["register_all"]

PROJECTIONS: Final = (Position, PositionFill, LedgerEntry, AccountState, ProfitPeak)


def register_all() -> None:
    """Register the books, which are folded from the facts, and the shape of the settings of this floor."""
    for model in PROJECTIONS:
        register_left_out(model, "folded from the facts")
    register_seeded(RiskConfig)
    register_after_import(_book)
    register_shape("blueprint", write_blueprint)


def _book(accounts: Sequence[UUID]) -> None:
    for account in accounts:
        catch_up(account)
