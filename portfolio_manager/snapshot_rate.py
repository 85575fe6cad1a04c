"""How much is seen: a figure of `manage.py metrics`, where a collector that has stopped shows."""

from __future__ import annotations

from typing import Final

from friren.operations.metrics import register_figure
from portfolio_manager.models import AccountSnapshot
from trading_engine.models import CalendarSnapshot, CandleSnapshot, IndicatorSnapshot, NewsSnapshot

__all__ = ["register"]

_SEEN: Final = (CandleSnapshot, IndicatorSnapshot, CalendarSnapshot, NewsSnapshot, AccountSnapshot)


def register() -> None:
    """Count the snapshots of the last hour, of all five kinds."""
    counted = " + ".join(
        f"(SELECT count(*) FROM {model._meta.db_table} WHERE captured_at > now() - interval '1 hour')"  # noqa: S608
        for model in _SEEN
    )
    register_figure("snapshot_per_hour", f"SELECT {counted}")
