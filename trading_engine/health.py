"""Do signals and regimes agree with themselves? Registered with `manage.py health`."""

from __future__ import annotations

from typing import Final

from django.db import connection

from friren.operations.health import Finding, register
from friren.operations.health.settings import SHOWN_MAX
from trading_engine.models import MarketRegime, Signal

__all__ = ["check_regimes", "check_signals", "register_all"]

# By the start, each interval of a key with the next one.
_INTERVALS: Final = f"""
    SELECT id FROM (
        SELECT id, started_at, ended_at, lead(started_at) OVER (
            PARTITION BY account_id, detector, symbol_id ORDER BY started_at, ended_at) AS next
        FROM {MarketRegime._meta.db_table}
    ) AS intervals
    WHERE next IS NOT NULL AND (ended_at IS NULL OR ended_at > next) ORDER BY started_at LIMIT {SHOWN_MAX}
"""  # noqa: S608 - a table and a number of ours


def register_all() -> None:
    """Register the checks of this module."""
    register("signals", check_signals, thorough=True)
    register("regimes", check_regimes, thorough=True)


def check_signals() -> Finding:
    """Look for signals that were executed, and whose trade nobody knows."""
    found = Signal.objects.filter(executed=True, trade=None).values_list("id", flat=True)[:SHOWN_MAX]
    lost = list(map(str, found))
    message = f"executed without a trade: signal {lost[0]}" if lost else "every executed signal has its trade"
    return Finding(ok=not lost, message=message, details={"signals": lost})


def check_regimes() -> Finding:
    """Look for regimes that overlap: at each moment a detector sees one, of a symbol or of the market."""
    with connection.cursor() as cursor:
        cursor.execute(_INTERVALS)
        found = [str(row[0]) for row in cursor.fetchall()]
    message = f"overlaps the one after it: regime {found[0]}" if found else "no two regimes of a detector overlap"
    return Finding(ok=not found, message=message, details={"regimes": found})
