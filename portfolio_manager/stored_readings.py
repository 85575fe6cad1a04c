"""Readings of a book that another system took, in its own words: the tables `portfolio` and `portfolio_history`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from portfolio_manager.models import PortfolioSnapshot
from portfolio_manager.models.choices import SnapshotKind
from trading_engine.data.prescient.telling import VENUE
from trading_engine.data.storage.stored import reader_of, register_reader

__all__ = ["register"]

_FIGURES = ("balance", "total_invested", "total_profit_loss", "trade_count")


def register() -> None:
    """Let storages read these tables."""
    register_reader("portfolio", _portfolio)
    register_reader("portfolio_history", _history)


def _portfolio(account: UUID, using: str) -> Iterator[dict[str, Any]]:
    rows = PortfolioSnapshot.objects.using(using).filter(account=account, source=VENUE, kind=SnapshotKind.INTRADAY)
    newest = rows.order_by("-timestamp").first()
    positions = reader_of("positions")
    if newest is not None and positions is not None:
        figures = {name: getattr(newest, name) for name in _FIGURES}
        # When Prescient began is no reading of the book; its account tells when it was opened here.
        yield {
            **figures,
            "created_at": None,
            "last_updated": newest.timestamp,
            "positions": list(positions(account, using)),
        }


def _history(account: UUID, using: str) -> Iterator[dict[str, Any]]:
    rows = PortfolioSnapshot.objects.using(using).filter(account=account, source=VENUE, kind=SnapshotKind.DAILY)
    for row in rows.order_by("snapshot_date").iterator():
        figures = {name: getattr(row, name) for name in (*_FIGURES[:3], "total_value", "open_positions", "trade_count")}
        yield {"snapshot_date": row.snapshot_date, "timestamp": row.timestamp, **figures}
