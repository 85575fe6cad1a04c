"""How old is old: `90d`, `12w`, or a date."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from friren.errors import ArchiveError, shown

__all__ = ["moment_of", "month_after", "month_of"]

_AGE: Final = re.compile(r"(?P<number>[0-9]{1,5})(?P<unit>[dw])")
_DAYS: Final = {"d": 1, "w": 7}


def moment_of(text: str, *, now: dt.datetime) -> dt.datetime:
    """
    Return the moment that an age (`90d`, `12w`) or a date (ISO 8601, UTC unless it says otherwise) names.

    Raises:
        ArchiveError: it is neither, or a moment that is still to come.
    """
    age = _AGE.fullmatch(text.strip())
    try:
        if age is not None:
            return now - dt.timedelta(days=int(age["number"]) * _DAYS[age["unit"]])
        found = dt.datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as exc:
        raise ArchiveError(f"{shown(text)}: write an age such as 90d or 12w, or a date such as 2024-01-31") from exc
    moment = found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    if moment > now:
        raise ArchiveError(f"{shown(text)}: lies ahead; only what is over can be archived")
    return moment


def month_of(moment: dt.datetime) -> dt.datetime:
    """Return the beginning of the month of a moment, UTC."""
    return moment.astimezone(dt.UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_after(moment: dt.datetime) -> dt.datetime:
    """Return the beginning of the month after that of a moment, UTC."""
    return month_of(month_of(moment) + dt.timedelta(days=32))
