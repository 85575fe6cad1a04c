"""
Reading pages, newest first, by key and not by offset.

A row is a light frozen struct with the model's field names: a referred row appears as its natural
key (a symbol as its ticker) or its id, so a page is one query and plain data.
"""

from __future__ import annotations

import datetime as dt
import decimal
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import Q, QuerySet
from django.utils import timezone

from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.answers import Answer, ask
from friren.persistence.archived_reads import with_archive
from friren.persistence.facts import natural_key_of
from friren.persistence.prepared import fetch_light
from friren.persistence.receipts import Rows

__all__ = [
    "PAGE_ROWS_MAX",
    "behind",
    "check_limit",
    "check_position",
    "first_row",
    "light_rows",
    "newest_first",
    "page_of",
    "row_type",
    "sql_of",
]

# A page a person or a plot can use; what is longer is paged by `after=`.
PAGE_ROWS_MAX: Final = 100_000
# How rows reached us, not what they say.
UNREAD: Final = frozenset({"digest", "recorded_seq", "producer"})

_PLAIN_TYPES: Final[tuple[tuple[type[models.Field[Any, Any]], Any], ...]] = (
    (models.DecimalField, decimal.Decimal),
    (models.FloatField, float),
    (models.BooleanField, bool),
    (models.IntegerField, int),
    (models.DateTimeField, dt.datetime),
    (models.DateField, dt.date),
    (models.UUIDField, UUID),
    (ArrayField, list[str]),
    (models.CharField, str),
    (models.TextField, str),
)


def check_limit(limit: Any) -> int:
    """Return a page size, 1 to PAGE_ROWS_MAX."""
    return checks.check_count("limit", limit, minimum=1, maximum=PAGE_ROWS_MAX)


@functools.cache
def _columns(model: type[models.Model]) -> tuple[tuple[str, str, Any], ...]:
    """Return (name in the row, path in a query, type) of every field that is read."""
    columns = []
    for field in model._meta.concrete_fields:
        if field.name in UNREAD:
            continue
        path, kind = field.name, _python_type(field)
        if isinstance(field, models.ForeignKey):
            natural = natural_key_of(field)
            shown = natural is not None and natural.path
            path = f"{field.name}__{shown}" if shown else field.attname
            kind = str if shown else _python_type(field.target_field)
        columns.append((field.name, path, kind | None if field.null else kind))
    return tuple(columns)


def _python_type(field: models.Field[Any, Any]) -> Any:
    return next((kind for of, kind in _PLAIN_TYPES if isinstance(field, of)), Any)


@functools.cache
def row_type(model: type[models.Model]) -> type[msgspec.Struct]:
    """Return the struct that rows of `model` are read into."""
    fields = [(name, kind) for name, _path, kind in _columns(model)]
    return msgspec.defstruct(f"{model.__name__}Row", fields, frozen=True, module=__name__)


def first_row(rows: QuerySet[Any, Any], *, unknown: Mapping[str, Any]) -> Any | None:
    """
    Return the first row of a queryset as a light struct that says how fresh it is, or None when there is none.

    Args:
        unknown: what stands in a row of which nothing is known.

    Returns:
        The row, with `as_of` and `stale` as of `Rows`. None is the database's own answer. While the database is away
        and no row is known from before, it is a row of `unknown` and Nones: that is not the same as none.
    """
    found = light_rows(rows[:1])
    if not found.rows and not found.stale:
        return None
    model: type[models.Model] = rows.model
    make = _answered_type(model)
    values: dict[str, Any] = dict.fromkeys(make.__struct_fields__)
    values.update(msgspec.structs.asdict(found.rows[0]) if found.rows else unknown)
    values.update(as_of=found.as_of, stale=found.stale)
    return make(**values)


@functools.cache
def _answered_type(model: type[models.Model]) -> type[msgspec.Struct]:
    fields = [*row_type(model).__annotations__.items(), ("as_of", dt.datetime | None), ("stale", bool)]
    return msgspec.defstruct(f"{model.__name__}Answer", fields, frozen=True, module=__name__)


def light_rows(rows: QuerySet[Any, Any]) -> Answer:
    """Return all rows of a queryset as light structs; while the database is away those of the last time."""
    try:
        sql, parameters = sql_of(rows)
    except EmptyResultSet:
        return Answer([], timezone.now(), stale=False)  # nothing can match, whatever is stored
    return _answer_to(rows.model, sql, parameters, using=rows.db)


def sql_of(rows: QuerySet[Any, Any]) -> tuple[str, Sequence[Any]]:
    """Return the query of light rows, and its parameters. Raises EmptyResultSet when nothing can match."""
    model: type[models.Model] = rows.model
    page = rows.values_list(*(path for _name, path, _kind in _columns(model)))
    sql, parameters = page.query.get_compiler(rows.db).as_sql()
    return sql, parameters


def _answer_to(model: type[models.Model], sql: str, parameters: Sequence[Any], *, using: str) -> Answer:
    """Return the light rows of a query that `sql_of` made; those of the last time while the database is away."""
    make = row_type(model)

    def question(alias: str) -> list[Any]:
        return [make(*values) for values in fetch_light(connections[alias], sql, parameters)]

    return ask((sql, repr(parameters)), question, using=using)


def newest_first(
    rows: QuerySet[Any, Any],
    *,
    time: str,
    start: Any = None,
    end: Any = None,
    limit: int = 100,
    after: Any = None,
    include_archive: Any = False,
) -> Rows[Any]:
    """
    Return a page of `rows` by (time, id) descending; while the database is away the last one that was read.

    Args:
        rows: the filtered queryset.
        time: name of the time field.
        start, end: bounds of the time, aware; start included, end not.
        limit: rows at most, 1 to PAGE_ROWS_MAX.
        after: `next` of the page before.
        include_archive: read what was archived too.

    Raises:
        RejectedRecordError: a bound, the limit or `after` is not what is wanted.
    """
    if checks.check_boolean("include_archive", include_archive):
        rows = with_archive(rows)
    if start is not None:
        rows = rows.filter(**{f"{time}__gte": checks.check_time("start", start)})
    if end is not None:
        rows = rows.filter(**{f"{time}__lt": checks.check_time("end", end)})
    if after is not None:
        rows = behind(rows, time, *check_position(after))
    size = check_limit(limit)
    return _page(light_rows(rows.order_by(f"-{time}", "-id")[: size + 1]), size, time)


def page_of(
    model: type[models.Model], sql: str, parameters: Sequence[Any], *, size: int, time: str, using: str
) -> Rows[Any]:
    """Return a page by a query that `sql_of` made, of `size` rows and one more, by (time, id) descending."""
    return _page(_answer_to(model, sql, parameters, using=using), size, time)


def behind(rows: QuerySet[Any, Any], time: str, moment: dt.datetime, key: UUID) -> QuerySet[Any, Any]:
    """Return those of `rows` that come behind (moment, key) on a way back in time."""
    # The first condition alone is implied, and lets the index be entered at the right place.
    return rows.filter(Q(**{f"{time}__lte": moment}) & (Q(**{f"{time}__lt": moment}) | Q(id__lt=key)))


def _page(found: Answer, size: int, time: str) -> Rows[Any]:
    page = found.rows[:size]
    following = (getattr(page[-1], time), page[-1].id) if len(found.rows) > size else None
    return Rows(page, as_of=found.as_of, stale=found.stale, next=following)


def check_position(after: Any) -> tuple[dt.datetime, UUID]:
    """Return (time, id) of the last row of a page, given as its `next`."""
    if not isinstance(after, tuple) or len(after) != 2:
        raise RejectedRecordError("after", after, "give the `next` of the page before")
    return checks.check_time("after", after[0]), checks.check_uuid("after", after[1])
