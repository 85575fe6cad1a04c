"""How markets stood last, found market by market in an index and not by reading the history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from django.db import connections

from trading_engine.models import PredictionMarketSnapshot

__all__ = ["latest_yes_prices"]

_LATEST = f"""
    SELECT wanted.market, newest.timestamp, newest.yes_price
    FROM unnest(%s::text[]) AS wanted(market) CROSS JOIN LATERAL (
        SELECT timestamp, yes_price FROM {PredictionMarketSnapshot._meta.db_table}
        WHERE market_id = wanted.market AND timestamp <= %s AND yes_price IS NOT NULL
        ORDER BY timestamp DESC LIMIT 1
    ) AS newest
"""  # noqa: S608 - a table of ours


def latest_yes_prices(markets: Iterable[str], at: dt.datetime, *, using: str) -> dict[str, tuple[dt.datetime, Decimal]]:
    """Return (when, YES price) of the newest snapshot up to `at` of each market that has one."""
    with connections[using].cursor() as cursor:
        cursor.execute(_LATEST, [sorted(set(markets)), at])
        return {market: (moment, price) for market, moment, price in cursor.fetchall()}
