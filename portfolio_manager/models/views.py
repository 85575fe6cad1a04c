"""The books under the names that other systems have for them: rows of the same tables, no others."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, ClassVar

from django.db import models

from friren.core.choices import Environment
from portfolio_manager.models.books import AccountState, Position
from portfolio_manager.models.positions import PositionQuerySet

__all__ = ["BacktestTrade", "PortfolioState"]


class PortfolioState(AccountState):
    """Where a book stands: one row per account."""

    class Meta:
        proxy = True


class BacktestTradeManager(models.Manager.from_queryset(PositionQuerySet)):  # type: ignore[misc]  # made at run time
    """The positions of BACKTEST accounts."""

    def get_queryset(self) -> PositionQuerySet:
        found: PositionQuerySet = super().get_queryset().filter(account__environment=Environment.BACKTEST)
        return found


class BacktestTrade(Position):
    """A round trip of a backtest: a position of a BACKTEST account, closed or still open."""

    objects: ClassVar[Any] = BacktestTradeManager()

    class Meta:
        proxy = True

    @property
    def backtest(self) -> Any:
        """The run whose book it is in; None for a book without one."""
        return getattr(self.account, "backtest_run", None)

    @property
    def trade_type(self) -> str:
        """LONG or SHORT."""
        return str(self.side)

    @property
    def entry_date(self) -> dt.datetime:
        """When it was opened."""
        return self.opened_at

    @property
    def exit_date(self) -> dt.datetime | None:
        """When it was closed."""
        return self.closed_at

    @property
    def position_size(self) -> Decimal:
        """Everything that was added to it, in units of today."""
        return Decimal(self.opened_quantity)

    @property
    def pnl(self) -> Decimal:
        """The realised profit, before commission."""
        return Decimal(self.realized_pnl)
