"""Reports as JSON: money as plain text, ratios as numbers, times in ISO 8601 with their offset."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from friren.core.numbers import plain

__all__ = ["json_ready"]


def json_ready(value: Any) -> Any:
    """
    Return `value` as what `json.dumps` writes without loss: a Decimal as text without trailing zeros.

    A statistic that is undefined (NaN, infinity) becomes null: JSON has no word for it.

    Raises:
        TypeError: a value of a kind that reports do not have.
    """
    match value:
        case None | bool() | int() | str() if not isinstance(value, enum.Enum):
            return value
        case enum.Enum():
            return json_ready(value.value)
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return plain(value)
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return value.total_seconds()
        case UUID() | Path():
            return str(value)
        case Mapping():
            return {str(key): json_ready(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [json_ready(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: json_ready(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "__struct_fields__"):
        return {name: json_ready(getattr(value, name)) for name in value.__struct_fields__}
    raise TypeError(f"{type(value).__name__} has no JSON form in a report")
