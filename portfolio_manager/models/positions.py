"""Questions asked of positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

from portfolio_manager.models.choices import PositionStatus
from trading_engine.models import Trade

if TYPE_CHECKING:
    from portfolio_manager.models.books import Position  # noqa: F401 - named in quotes below

__all__ = ["PositionQuerySet"]


class PositionQuerySet(models.QuerySet["Position"]):
    """Positions, narrowed by what they are asked about."""

    def for_trade(self, trade: Trade) -> Self:
        """Return every position of the trade's instrument in its account, whichever strategy holds it."""
        return self.filter(account=trade.account_id, symbol=trade.symbol_id, market=trade.market_id)

    def open(self) -> Self:
        """Return what is held now."""
        return self.filter(status=PositionStatus.OPEN)
