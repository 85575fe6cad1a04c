"""Whether a model is still asked about what it was asked about at first: drift of its features over time."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import connections

__all__ = ["BINS", "feature_drift", "stability_index"]

BINS: Final = 10
# So that an empty part is improbable and not impossible, whose logarithm there is none of.
_SMOOTHING: Final = 0.5

# The edges are the deciles of the reference; its own counts come without a period. What is no number is left out.
_COUNTS: Final = """
    WITH told AS (
        SELECT given.timestamp AS at, date_trunc(%s, given.timestamp, 'UTC') AS period, feature.key AS name,
               feature.value::text::float8 AS value
        FROM ({predictions}) AS given, jsonb_each(given.features) AS feature
        WHERE jsonb_typeof(feature.value) = 'number'
    ), reference AS (
        SELECT * FROM told WHERE coalesce(at < %s::timestamptz, period = (SELECT min(period) FROM told))
    ), edges AS (
        SELECT name, percentile_cont(%s::float8[]) WITHIN GROUP (ORDER BY value) AS edges FROM reference GROUP BY name
    )
    SELECT NULL, name, width_bucket(value, edges), count(*) FROM reference JOIN edges USING (name) GROUP BY 2, 3
    UNION ALL
    SELECT period, name, width_bucket(value, edges), count(*) FROM told JOIN edges USING (name) GROUP BY 1, 2, 3
"""


def feature_drift(
    predictions: Any, *, every: str, until: dt.datetime | None = None, using: str
) -> dict[dt.datetime, dict[str, float]]:
    """
    Return by period, and in it by numeric feature, how far its values have moved from those of a reference.

    Args:
        predictions: a query of ModelPrediction.
        every: what PostgreSQL's date_trunc takes: day, week, month, quarter, year.
        until: the reference is what lies before it; the first period when None.
    """
    # Django's own text of the query, with its parameters apart.
    sql, parameters = predictions.order_by().values("timestamp", "features").query.sql_with_params()
    deciles = [number / BINS for number in range(1, BINS)]
    counts: dict[tuple[dt.datetime | None, str], Counter[int]] = defaultdict(Counter)
    with connections[using].cursor() as cursor:
        cursor.execute(_COUNTS.format(predictions=sql), [every, *parameters, until, deciles])
        for period, name, part, count in cursor.fetchall():
            counts[period, name][part] = count
    drift: dict[dt.datetime, dict[str, float]] = defaultdict(dict)
    for (period, name), parts in counts.items():
        if period is not None:
            drift[period][name] = stability_index(_row(counts[None, name]), _row(parts))
    return {period: dict(sorted(drift[period].items())) for period in sorted(drift)}


def stability_index(expected: Sequence[int], found: Sequence[int]) -> float:
    """
    Return the population stability index of two counts over the same parts: 0 where they are shared out alike.

    The sum over the parts of (q - p) ln(q / p), p and q the shares, half a case added to each part. Below 0.1 nothing
    has moved, from 0.25 on much has. Of n and m cases, chance alone makes about (parts - 1)(1/n + 1/m).

    Source: N. Siddiqi, Credit Risk Scorecards (2006).
    """
    return sum((q - p) * math.log(q / p) for p, q in zip(_shares(expected), _shares(found), strict=True))


def _row(parts: Mapping[int, int]) -> list[int]:
    return [parts.get(part, 0) for part in range(BINS)]


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) + _SMOOTHING * len(counts)
    return [(count + _SMOOTHING) / total for count in counts]
