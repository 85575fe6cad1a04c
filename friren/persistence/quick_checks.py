"""
Short ways through the checker, for what is plainly right.

Each returns what `friren.persistence.checks` would return, or asks it: a short way never refuses and never
takes what the long way would refuse (a property test compares them).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation, Rounded
from typing import Any, Final

from friren.core.numbers import CONTEXT, DECIMAL_PLACES
from friren.persistence import checks
from friren.persistence.checks import Check

__all__ = ["choice_check", "decimal_check", "json_check", "measure_check", "text_check", "time_check"]

_STEP: Final = Decimal(1).scaleb(-DECIMAL_PLACES)
_EXACT: Final = Context(prec=CONTEXT.prec, traps=[Rounded, InvalidOperation])
# Longer texts in JSON are rare, and looking through them is the long way's work.
_SHORT_TEXT: Final = 1000
_INT64: Final = 2**63
# Wide enough for every measured column; NaN and infinities are outside.
_MEASURE_MAX: Final = 1e6


def decimal_check(*, low: Decimal, high: Decimal, allows: Callable[[Decimal], bool], rule: str) -> Check:
    """Return the check of exact decimals. The short way takes what lies strictly between `low` and `high`."""

    def check(field: str, value: Any) -> Decimal:
        # Zero has many forms, of which one is kept; comparing NaN raises.
        if type(value) is Decimal and value and value.is_finite() and low < value < high:
            try:
                _EXACT.quantize(value, _STEP)
            except (Rounded, InvalidOperation):  # zeros past the 18th decimal are dropped on the long way
                pass
            else:
                return value
        return checks.check_decimal(field, value, allows=allows, rule=rule)

    return check


def measure_check(*, places: int, allows: Callable[[Decimal], bool], low: Decimal, high: Decimal, rule: str) -> Check:
    """Return the check of a bounded statistic. The short way takes floats between its bounds."""
    step = Decimal(1).scaleb(-places)

    def check(field: str, value: Any) -> Decimal:
        if type(value) is float and -_MEASURE_MAX < value < _MEASURE_MAX:
            number = Decimal(repr(value))
            if low <= number <= high:
                return number.quantize(step, ROUND_HALF_EVEN)
        return checks.check_measure(field, value, places=places, allows=allows, rule=rule)

    return check


def text_check(*, length: int | None, blank: bool) -> Check:
    """Return the check of text. The short way takes ASCII, which has no surrogates."""
    limit = checks.TEXT_LENGTH_MAX if length is None else length
    least = 0 if blank else 1

    def check(field: str, value: Any) -> str:
        if type(value) is str and value.isascii() and least <= len(value) <= limit and "\x00" not in value:
            return value
        return checks.check_text(field, value, length=length, blank=blank)

    return check


def choice_check(*, stored: Mapping[str, str], blank: bool) -> Check:
    """Return the check of a choice. The short way takes its stored form and its lower case."""
    # A form that is its own answer; a member of TextChoices is a str of another type and goes the long way.
    forms = dict(stored) | {form: form for form in stored.values()}

    def check(field: str, value: Any) -> str:
        if type(value) is str and (form := forms.get(value)) is not None:
            return form
        return checks.check_choice(field, value, stored=stored, blank=blank)

    return check


def time_check(field: str, value: Any) -> dt.datetime:
    """Return an aware datetime in UTC. The short way takes one that is."""
    if type(value) is dt.datetime and value.tzinfo is dt.UTC:
        return value
    return checks.check_time(field, value)


def json_check(*, kind: type | None) -> Check:
    """Return the check of a JSON value. The short way takes a flat object of plain numbers and short ASCII texts."""

    def check(field: str, value: Any) -> Any:
        if type(value) is dict and kind in {None, dict} and (flat := _flat(value)) is not None:
            return flat
        return checks.check_json(field, value, kind=kind)

    return check


def _flat(value: dict[Any, Any]) -> dict[str, Any] | None:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        kind = type(item)
        if type(key) is not str or not key.isascii() or "\x00" in key:
            return None
        if kind is float and math.isfinite(item):
            flat[key] = item + 0.0  # turns -0.0 into 0.0, as the long way does
        elif kind is bool or (kind is int and -_INT64 <= item < _INT64) or (kind is str and _is_plain(item)):
            flat[key] = item
        else:
            return None
    return flat


def _is_plain(text: str) -> bool:
    return text.isascii() and "\x00" not in text and len(text) < _SHORT_TEXT
