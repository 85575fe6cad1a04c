"""The door of the adapters: an engine's floats, stamps and names become Friren's."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from importlib import metadata
from typing import Any, Final

from friren.core.numbers import ZERO
from friren.errors import RejectedRecordError
from trading_engine.data.frames import number_of, wall_of
from trading_engine.data.importers.stamps import to_utc, zone_of

__all__ = ["Clock", "exact", "is_missing", "part_of", "plain_parameters", "version_of"]

# What a strategy's parameters are kept as; anything else by its text.
_PLAIN: Final = (str, int, float, bool, type(None))


def exact(value: Any, field: str = "price") -> Decimal:
    """
    Return a figure of an engine as the decimal it was meant to be: floats rounded to 15 significant digits.

    Raises:
        RejectedRecordError: no number, NaN or infinite.
    """
    number = number_of(field, value)
    if not number.is_finite():
        raise RejectedRecordError(field, value, "a finite number")
    # An engine's zero may bear a sign.
    return number or ZERO


def is_missing(value: Any) -> bool:
    """Return whether a cell of a table holds nothing: None, NaN, NaT or pandas.NA."""
    return value is None or type(value).__name__ == "NAType" or bool(value != value)  # noqa: PLR0124


class Clock:
    """
    Turns an engine's stamps into moments.

    Args:
        timezone: IANA name of the zone in which naive stamps were written.

    Raises:
        RejectedRecordError: there is no such zone.
    """

    def __init__(self, timezone: str = "UTC") -> None:
        self._zone = zone_of(timezone)
        self._seen: dict[Any, dt.datetime] = {}

    def __call__(self, stamp: Any) -> dt.datetime:
        """
        Return the moment of a pandas.Timestamp, datetime, date, or text with the year first, in UTC.

        Raises:
            RejectedRecordError: it is none of them, finer than a microsecond, or a time that clocks skipped.
        """
        moment = self._seen.get(stamp)
        if moment is None:
            wall = wall_of(stamp)
            zone = None if wall.offset is not None else self._zone
            moment = self._seen[stamp] = to_utc(wall, str(stamp), zone=zone, dated=False)
        return moment


def part_of(thing: Any, name: str, engine: str) -> Any:
    """
    Return an attribute or a column.

    Raises:
        RejectedRecordError: there is none: this is no result of that engine, or of a version that looks otherwise.
    """
    found = getattr(thing, name, None)
    if found is None and isinstance(thing, Mapping):
        found = thing.get(name)
    if found is None:
        raise RejectedRecordError(engine, type(thing).__name__, f"a result of {engine}, which has {name}")
    return found


def plain_parameters(told: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return a strategy's parameters as plain JSON: numbers, numpy's too, and text as they are, the rest as text."""
    found: dict[str, Any] = {}
    for name, value in told:
        kept = value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value
        finite = not isinstance(kept, float) or kept - kept == 0.0
        found[str(name)] = kept if isinstance(kept, _PLAIN) and finite else str(kept)
    return found


def version_of(package: str) -> str:
    """Return the version of an installed engine, "" where it is not; nothing is imported for it."""
    try:
        return metadata.version(package)[:50]
    except metadata.PackageNotFoundError:
        return str(getattr(sys.modules.get(package), "__version__", ""))[:50]
