"""Values for the fields of facts, out of the whole range that each field allows."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from hypothesis import strategies as st

from friren.core.fields import BoundedDecimalField, ChoiceField, QuantityField, StatField
from friren.core.numbers import CONTEXT

__all__ = ["allowed", "json_objects", "texts"]

# Neither NUL nor a lone surrogate is text to PostgreSQL.
characters = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])
zones = st.sampled_from([dt.UTC, zoneinfo.ZoneInfo("America/New_York"), dt.timezone(dt.timedelta(hours=5, minutes=45))])
# Naive, as Hypothesis asks; a year from the ends of what Python knows, since zones shift.
DAYS = [dt.datetime(year, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None) for year in (2, 9998)]
times = st.datetimes(*DAYS, timezones=zones)
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(10**40), 10**40), numbers,
    numbers.map(float.__trunc__).map(float),  # whole, which jsonb does not keep apart from integers
    st.text(characters, max_size=8), st.decimals(allow_nan=False, allow_infinity=False),
)  # fmt: skip
json_trees = st.recursive(
    json_leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(characters, max_size=4), inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(st.text(characters, max_size=4), json_trees, max_size=3)


def texts(length: int | None, *, blank: bool = True) -> st.SearchStrategy[str]:
    """Text that a column of this length holds."""
    return st.text(characters, min_size=0 if blank else 1, max_size=min(length or 40, 40))


def decimals(field: BoundedDecimalField) -> st.SearchStrategy[Decimal]:
    """Every decimal that the column holds, in any of its spellings."""
    places = field.decimal_places or 0
    step = Decimal(1).scaleb(-places)
    low = CONTEXT.add(field.minimum, step) if field.exclusive else field.minimum
    high = CONTEXT.subtract(field.maximum, step) if field.exclusive else field.maximum
    if isinstance(field, QuantityField):
        low = step if field.positive else Decimal(0)
    counts = st.integers(int(CONTEXT.divide(low, step)), int(CONTEXT.divide(high, step)))
    exact = counts.map(lambda count: CONTEXT.multiply(Decimal(count), step))
    plain = [Decimal(text) for text in ("0", "0.5", "1", "1.00") if low <= Decimal(text) <= high]
    return st.sampled_from(plain) | exact | exact.map(CONTEXT.normalize)


def allowed(field: models.Field[Any, Any]) -> st.SearchStrategy[Any] | None:
    """Return values that the field allows; None for a reference to a row that must be stored."""
    if isinstance(field, models.ForeignKey):
        if field.db_constraint:
            return None
        return st.none() | texts(255, blank=False) if field.null else texts(255, blank=False)
    made: st.SearchStrategy[Any]
    if isinstance(field, BoundedDecimalField):
        made = decimals(field)
    elif isinstance(field, StatField):
        made = numbers
    elif isinstance(field, ChoiceField):
        made = st.sampled_from([*field.stored.values(), *([""] if field.blank else [])])
    elif isinstance(field, models.CharField | models.TextField):
        made = texts(field.max_length, blank=field.blank)
    elif isinstance(field, ArrayField):
        made = st.lists(texts(field.base_field.max_length), max_size=3)
    elif isinstance(field, models.JSONField):
        made = json_objects if field.default is dict else st.lists(json_trees, max_size=3)
    elif isinstance(field, models.DateTimeField):
        made = times
    else:
        made = _plain(field)
    return st.none() | made if field.null else made


def _plain(field: models.Field[Any, Any]) -> st.SearchStrategy[Any]:
    by_type: list[tuple[type[models.Field[Any, Any]], st.SearchStrategy[Any]]] = [
        (models.BigIntegerField, st.integers(0, 2**63 - 1)),
        (models.IntegerField, st.integers(0, 2**31 - 1)),
        (models.BooleanField, st.booleans()),
        (models.UUIDField, st.uuids()),
        (models.BinaryField, st.binary(max_size=32)),
        (models.GenericIPAddressField, st.ip_addresses().map(str)),
    ]
    return next(made for kind, made in by_type if isinstance(field, kind))
