"""Regime intervals that follow from point observations: at most one open per (account, detector, symbol)."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any
from uuid import UUID

from django.db import connections

from friren.core.ids import natural_id
from friren.persistence.facts import Fact
from friren.persistence.handlers import insert
from friren.persistence.receipts import Receipt
from trading_engine.models import MarketRegime, RegimeHistory
from trading_engine.symbols import symbol_id

__all__ = ["interval_id", "store_regime"]


@dataclasses.dataclass(frozen=True, slots=True)
class _Stream:
    """Whose regimes these are: a null account or symbol stands for the whole market."""

    account_id: UUID | None
    detector: str
    symbol_id: int | None
    symbol_key: list[str] | None

    def columns(self) -> dict[str, Any]:
        return {"account_id": self.account_id, "detector": self.detector, "symbol_id": self.symbol_id}

    def interval_id(self, started_at: dt.datetime) -> UUID:
        return interval_id(self.account_id, self.detector, self.symbol_key, started_at)


def interval_id(account: UUID | None, detector: str, symbol: list[str] | None, started_at: dt.datetime) -> UUID:
    """
    Return the id of the interval that begins at a moment.

    Args:
        symbol: [ticker, venue]; None for the whole market.
    """
    ticker, venue = symbol or (None, None)
    return natural_id("market_regime", account, detector, ticker, venue, started_at)


def store_regime(fact: Fact, *, using: str) -> Receipt:
    """
    Store an observation, and move the intervals when it says something new.

    Another type than the open interval's closes that and opens the next. The same type, or a moment
    before the open interval began, is an observation only: a late one never rewrites history.
    """
    values = fact.values
    key = values.get("symbol")
    stream = _Stream(
        account_id=values.get("account"),
        detector=values.get("detector", RegimeHistory._meta.get_field("detector").default),
        symbol_id=symbol_id(key, account_id=values.get("account"), using=using) if key else None,
        symbol_key=key,
    )
    _lock(stream, using)
    if RegimeHistory.objects.using(using).filter(id=fact.id).exists():
        return insert(fact, using=using)
    current = MarketRegime.objects.using(using).filter(**stream.columns(), ended_at=None).first()
    interval, previous = _interval_for(values, current, stream, using)
    extra: dict[str, Any] = {"previous_regime_type": previous} if previous else {}
    if interval is not None:
        extra["market_regime"] = interval
    return insert(fact.with_values(**extra), using=using)


def _interval_for(
    values: dict[str, Any], current: MarketRegime | None, stream: _Stream, using: str
) -> tuple[UUID | None, str]:
    """Return the interval the observation belongs to, and the type before it."""
    at, regime_type = values["timestamp"], values["regime_type"]
    if current is not None and at < current.started_at:
        covering = (
            MarketRegime.objects.using(using)
            .filter(**stream.columns())
            .filter(started_at__lte=at, ended_at__gt=at, regime_type=regime_type)
            .values_list("id", flat=True)
            .first()
        )
        return covering, ""
    if current is not None and current.regime_type == regime_type:
        return current.id, regime_type
    if current is not None and at == current.started_at:
        # Two types for one moment: the first stands, an interval of no length would say nothing.
        return None, current.regime_type
    if current is not None:
        MarketRegime.objects.using(using).filter(id=current.id, ended_at=None).update(ended_at=at)
    following = MarketRegime(
        id=stream.interval_id(at),
        started_at=at,
        regime_type=regime_type,
        **stream.columns(),
        **{name: values.get(name) for name in ("vix_average", "volatility_score", "macro_score")},
    )
    following.save(using=using, force_insert=True)
    return following.id, current.regime_type if current is not None else ""


def _lock(stream: _Stream, using: str) -> None:
    """Let one transaction at a time move a stream's intervals; there may be no row to lock yet."""
    name = f"regime|{stream.account_id}|{stream.detector}|{stream.symbol_id}"
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
