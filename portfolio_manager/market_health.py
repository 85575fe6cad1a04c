"""Is every market that ended paid out? Registered with `manage.py health`."""

from __future__ import annotations

from friren.operations.health import Finding
from friren.operations.health.settings import SHOWN_MAX
from portfolio_manager.models import Position
from trading_engine.models import PredictionMarket

__all__ = ["check_markets"]


def check_markets() -> Finding:
    """Look for bets that are open in markets that are decided: a resolver may have failed without a word."""
    held = Position.objects.open().filter(market__in=PredictionMarket.objects.resolved())
    names = held.values_list("account__name", "market_id").distinct().order_by("account__name", "market_id")
    found = [f"{account}: {market}" for account, market in names[:SHOWN_MAX]]
    message = f"decided and still held: {found[0]}" if found else "every decided market is paid out"
    return Finding(ok=not found, message=message, details={"markets": found})
