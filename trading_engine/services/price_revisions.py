"""What a revision of stored bars keeps: the values it replaces."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from uuid import UUID

from friren.persistence.facts import Fact, make_fact
from trading_engine.models import Price, PriceRevision

if TYPE_CHECKING:
    from trading_engine.services.price_loading import PriceFact

__all__ = ["VALUES", "keep_old_values"]

# What a bar says; its key (symbol, timestamp, source, timeframe) never changes.
VALUES: Final = ("open", "high", "low", "close", "volume", "adjusted_close")


def keep_old_values(
    *,
    candidates: Mapping[UUID, tuple[int, PriceFact]],
    bounds: tuple[dt.datetime, dt.datetime],
    after_seq: int | None,
    revised_at: dt.datetime,
    reason: str,
    using: str,
) -> list[int]:
    """
    Lock the stored bars that `candidates` would replace and keep their values, in the caller's transaction.

    Rows stored since `after_seq`, or revised at `revised_at` already, are the work of the same call and left alone:
    a file that names a bar twice would otherwise revise it back and forth.

    Args:
        candidates: (position in the batch, new bar) by id of the stored row.
        bounds: first and last moment of the candidates, which keep the search to a few partitions.

    Returns:
        The positions whose values are to replace the stored ones.
    """
    stored = Price.objects.using(using).filter(id__in=list(candidates), timestamp__range=bounds)
    earlier = PriceRevision.objects.using(using).filter(price_id__in=list(candidates), revised_at=revised_at)
    done = set(earlier.values_list("price_id", flat=True))
    positions: list[int] = []
    kept: list[PriceRevision] = []
    for row in stored.select_for_update(no_key=True).order_by("id"):
        position, fact = candidates[row.id]
        # Looked at again under the lock: another revision may have come first.
        own = row.id in done or (after_seq is not None and row.recorded_seq > after_seq)
        if own or bytes(row.digest) == fact.digest:
            continue
        kept.append(_revision_of(row, fact, revised_at, reason))
        positions.append(position)
    PriceRevision.objects.using(using).bulk_create(kept)
    return positions


def _revision_of(row: Price, fact: PriceFact, revised_at: dt.datetime, reason: str) -> PriceRevision:
    old = {name: getattr(row, name) for name in VALUES}
    made: Fact = make_fact(
        PriceRevision,
        price_id=row.id,
        symbol=[fact.ticker, fact.venue],
        timestamp=row.timestamp,
        timeframe=row.timeframe,
        source=row.source,
        revised_at=revised_at,
        reason=reason,
        **old,
    )
    values = {name: value for name, value in made.values.items() if name != "symbol"}
    return PriceRevision(id=made.id, digest=made.digest, symbol_id=row.symbol_id, **values)
