"""
What strategies are configured with, as people write it, and what is wrong with it; pure.

- `entry_conditions`: {"direction": "long", "when": ["rsi_14 < 30", "close > sma_200"], "confidence": 0.8}; all hold.
- `forbidden_conditions`: {"when": ["atr > 20"]}; none may hold.
- `exit_rules`: {"stop_atr": 2, "target_atr": 4, "hold": "5d"}; how many average ranges away stop and target lie.

Other keys are their owner's, and are left alone.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from portfolio_manager.models.choices import Direction

__all__ = ["DAYS", "NAMES", "Condition", "conditions_of", "in_session", "number_of", "parse_condition", "problems_of"]

# What is known of a symbol: its candle and its indicators.
NAMES: Final = ("open", "high", "low", "close", "volume", "rsi_14", "sma_50", "sma_200", "macd", "atr")
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WINDOW_KEYS: Final = frozenset({"days", "start", "end", "timezone"})
_OPERATORS: Final[Mapping[str, Callable[[Decimal, Decimal], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_TEXT: Final = re.compile(r"\s*([a-z_0-9]+)\s*(<=|>=|<|>)\s*([a-z_]+[a-z_0-9]*|-?[0-9]+(?:\.[0-9]+)?)\s*")
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class Condition(NamedTuple):
    """A comparison of what is known with something else that is, or with a number."""

    text: str
    left: str
    compare: Callable[[Decimal, Decimal], bool]
    right: str | Decimal

    def holds(self, known: Mapping[str, Decimal | None]) -> bool | None:
        """Return whether it holds; None where a value is not known."""
        left = known.get(self.left)
        right = known.get(self.right) if isinstance(self.right, str) else self.right
        return None if left is None or right is None else self.compare(left, right)


def parse_condition(text: Any) -> Condition | None:
    """Return the condition that a text such as "rsi_14 < 30" states; None where it is none."""
    found = _TEXT.fullmatch(text) if isinstance(text, str) else None
    if found is None or found[1] not in NAMES:
        return None
    right: str | Decimal = found[3]
    if found[3] not in NAMES:
        if found[3][0].isalpha() or found[3][0] == "_":
            return None
        right = Decimal(found[3])
    return Condition(text.strip(), found[1], _OPERATORS[found[2]], right)


def conditions_of(configured: Any) -> list[Condition]:
    """Return the conditions of a valid `entry_conditions` or `forbidden_conditions`."""
    listed = configured.get("when", []) if isinstance(configured, dict) else []
    return [one for one in map(parse_condition, listed) if one is not None]


def number_of(configured: Any, name: str) -> Decimal | None:
    """Return a number of 0 or more that is configured; None where there is none."""
    value = configured.get(name) if isinstance(configured, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and number >= 0 else None


def in_session(windows: Any, at: dt.datetime) -> bool:
    """Return whether a moment lies in one of the windows of a valid `session_windows`; without any it always does."""
    return not windows or any(_lies_in(window, at) for window in windows)


def _lies_in(window: Mapping[str, Any], at: dt.datetime) -> bool:
    local = at.astimezone(zoneinfo.ZoneInfo(window.get("timezone", "UTC")))
    start, end, clock = window.get("start", "00:00"), window.get("end", "24:00"), f"{local:%H:%M}"
    day = local.weekday()
    if end <= start:  # over midnight: the hours after it belong to the day before
        if clock < end:
            day = (day - 1) % 7
        inside = clock >= start or clock < end
    else:
        inside = start <= clock < end
    return inside and DAYS[day] in window.get("days", DAYS)


def problems_of(name: str, value: Any) -> str:
    """Return what is wrong with a configured column of a strategy, in one line; "" where nothing is."""
    if name == "session_windows":
        wrong = next(_wrong_windows(value), "") if isinstance(value, list) else "a list of windows is wanted"
        return wrong and f'{wrong}; such as {{"days": ["Mon"], "start": "09:30", "end": "16:00", "timezone": "UTC"}}'
    if not isinstance(value, dict):
        return "a JSON object is wanted"
    return next(_wrong_keys(name, value), "")


def _wrong_windows(windows: list[Any]) -> Iterator[str]:
    for window in windows:
        if not isinstance(window, dict) or window.keys() - WINDOW_KEYS:
            yield f"a window has {', '.join(sorted(WINDOW_KEYS))}"
            continue
        days = window.get("days", [])
        if not isinstance(days, list) or set(map(str, days)) - set(DAYS):
            yield f"days are {', '.join(DAYS)}"
        if not all(_CLOCK.fullmatch(str(window.get(name, "00:00"))) for name in ("start", "end")):
            yield "start and end are times as 09:30"
        if not _is_timezone(window.get("timezone", "UTC")):
            yield f"there is no time zone {window['timezone']}"


def _wrong_keys(name: str, value: dict[str, Any]) -> Iterator[str]:
    listed = value.get("when", [])
    if name in {"entry_conditions", "forbidden_conditions"}:
        if not isinstance(listed, list):
            yield 'when is a list, such as ["rsi_14 < 30", "close > sma_200"]'
        for text in listed if isinstance(listed, list) else ():
            if parse_condition(text) is None:
                yield f"{text!r}: write one of {', '.join(NAMES)}, then <, <=, > or >=, then another or a number"
    if name == "entry_conditions":
        if value.get("direction", Direction.LONG) not in Direction.values:
            yield f"direction is {' or '.join(Direction.values)}"
        confidence = number_of(value, "confidence")
        if "confidence" in value and (confidence is None or confidence > 1):
            yield "confidence is a number from 0 to 1"
    wrong = [key for key in ("stop_atr", "target_atr") if key in value and not number_of(value, key)]
    if name == "exit_rules" and wrong:
        yield f"{wrong[0]} is a number of average ranges, more than 0"


def _is_timezone(name: Any) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        return False
    return True
