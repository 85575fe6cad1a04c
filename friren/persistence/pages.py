"""
Pages that are asked for again and again, newest first: their SQL is made by the ORM once, and then remembered.

Putting a query together costs the ORM as much as reading fifty rows. Its text depends on what is asked by, not on the
values asked for: those are put where the ORM has put samples of theirs.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import models
from django.db.models import QuerySet

from friren.persistence import checks
from friren.persistence.reads import behind, check_limit, check_position, page_of, sql_of
from friren.persistence.receipts import Rows
from friren.persistence.settings import READ_SHAPES_MAX

__all__ = ["Condition", "newest_page"]

# Narrows a queryset by values. A function that stays: it is part of what is remembered.
Condition = Callable[..., "QuerySet[Any, Any]"]

_BEGIN: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def newest_page(
    model: type[models.Model],
    *asked: tuple[Condition, tuple[Any, ...]],
    using: str,
    time: str,
    start: Any = None,
    end: Any = None,
    limit: int = 100,
    after: Any = None,
) -> Rows[Any]:
    """
    Return a page of the rows of `model` as `newest_first` does, whose other arguments and errors are the same.

    Args:
        asked: conditions, each with its values as checked: texts, UUIDs and aware datetimes.
    """
    conditions = list(asked)
    if start is not None:
        conditions.append((_bound(f"{time}__gte"), (checks.check_time("start", start),)))
    if end is not None:
        conditions.append((_bound(f"{time}__lt"), (checks.check_time("end", end),)))
    if after is not None:
        conditions.append((_behind(time), check_position(after)))
    size = check_limit(limit)
    shape = tuple((condition, tuple(map(type, values))) for condition, values in conditions)
    sql, places = _query(model, using, time, size, shape)
    told = [value for _condition, values in conditions for value in values]
    parameters = [constant if place is None else told[place] for place, constant in places]
    return page_of(model, sql, parameters, size=size, time=time, using=using)


@functools.cache
def _bound(lookup: str) -> Condition:
    return lambda rows, value: rows.filter(**{lookup: value})


@functools.cache
def _behind(time: str) -> Condition:
    return lambda rows, moment, key: behind(rows, time, moment, key)


@functools.lru_cache(maxsize=READ_SHAPES_MAX)
def _query(
    model: type[models.Model], using: str, time: str, size: int, shape: tuple[tuple[Condition, tuple[type, ...]], ...]
) -> tuple[str, list[tuple[int | None, Any]]]:
    """Return the SQL of a page, and for each parameter the place of its value among those told, or a constant."""
    rows = model._default_manager.using(using).all()
    samples: list[Any] = []
    for condition, kinds in shape:
        given = [_sample(kind, len(samples) + number) for number, kind in enumerate(kinds)]
        rows = condition(rows, *given)
        samples += given
    sql, parameters = sql_of(rows.order_by(f"-{time}", "-id")[: size + 1])
    places = [next((place for place, sample in enumerate(samples) if sample == told), None) for told in parameters]
    if not set(range(len(samples))) <= set(places):
        raise TypeError(f"a condition on {model.__name__} does not hand its value to the database as it is")
    return sql, list(zip(places, parameters, strict=True))


def _sample(kind: type, number: int) -> Any:
    """Return a value of a type that no other parameter has."""
    if issubclass(kind, str):
        return uuid4().hex
    if issubclass(kind, UUID):
        return uuid4()
    if issubclass(kind, dt.datetime):
        return _BEGIN + dt.timedelta(microseconds=uuid4().int % 10**9 * 1000 + number)
    raise TypeError(f"no sample of {kind.__name__}")
