"""Reports as JSON: money as plain text, ratios as numbers, times in ISO 8601 with their offset."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from friren.core.numbers import plain

__all__ = ["json_ready"]


def json_ready(value: Any) -> Any:
    """
    Return `value` as what `json.dumps` writes without loss: a Decimal as text without trailing zeros.

    A statistic that is undefined (NaN, infinity) becomes null: JSON has no word for it.

    Raises:
        TypeError: a value of a kind that reports do not have.
    """
    if value is None or type(value) in {bool, int, str}:
        return value
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_ready(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: json_ready(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, msgspec.Struct):
        return {name: json_ready(getattr(value, name)) for name in value.__struct_fields__}
    for kind, convert in _CONVERTERS:
        if isinstance(value, kind):
            return convert(value)
    raise TypeError(f"{type(value).__name__} has no JSON form in a report")


# In this order: a TextChoices member is also a str, a datetime also a date.
_CONVERTERS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (enum.Enum, lambda value: json_ready(value.value)),
    (Decimal, plain),
    (float, lambda value: value if math.isfinite(value) else None),
    ((dt.date, dt.time), lambda value: value.isoformat()),
    (dt.timedelta, dt.timedelta.total_seconds),
    ((UUID, Path), str),
    (int, int),
    (str, str),
)
