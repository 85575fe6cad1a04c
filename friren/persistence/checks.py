"""
The one checker: every value that enters Friren passes here, before it is accepted.

A check takes a parameter's value and returns it in its stored form, or raises RejectedRecordError
naming field, value and rule. The rules come from the model's fields, so a field is defined once.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
import uuid
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
from typing import Any, Final

from friren.core.numbers import CONTEXT, DECIMAL_PLACES, ZERO, plain
from friren.errors import RejectedRecordError

__all__ = [
    "Check",
    "check_address",
    "check_boolean",
    "check_choice",
    "check_count",
    "check_date",
    "check_decimal",
    "check_json",
    "check_measure",
    "check_record",
    "check_stat",
    "check_text",
    "check_texts",
    "check_time",
    "check_uuid",
    "refuse_unknown",
]

Check = Callable[[str, Any], Any]

# Longer than any reasoning a person or model writes; short enough that one record cannot fill a journal segment.
TEXT_LENGTH_MAX: Final = 1_000_000
# Far wider than any number worth storing; narrower than what Python and PostgreSQL refuse to write out.
JSON_DIGITS_MAX: Final = 1000
# Deeper than any indicator or SHAP tree; shallower than Python's recursion limit.
JSON_DEPTH_MAX: Final = 32

JSON_LIMIT: Final = 10**JSON_DIGITS_MAX
_JSON_FINITE: Final = "must be finite; JSON has no NaN or Infinity"
_STEP: Final = Decimal(1).scaleb(-DECIMAL_PLACES)
_EXACT: Final = Context(prec=CONTEXT.prec, traps=[Inexact, InvalidOperation])


def _reject(field: str, value: object, rule: str) -> RejectedRecordError:
    return RejectedRecordError(field, value, rule)


def _is_numpy(value: object) -> bool:
    # By name: numpy is not imported for this, and its float64 is also a Python float.
    return type(value).__module__.partition(".")[0] == "numpy"


def check_decimal(field: str, value: Any, *, allows: Callable[[Decimal], bool], rule: str) -> Decimal:
    """Return exact money, price or quantity: a Decimal or an int, of at most 18 decimals."""
    if not isinstance(value, Decimal) and type(value) is not int:
        what = "a float is not exact" if isinstance(value, float) else f"not {type(value).__name__}"
        raise _reject(field, value, f"a Decimal or an int is wanted, {what}")
    number = Decimal(value)
    if not number.is_finite():
        raise _reject(field, value, "must be finite")
    # Bounds before digits: Decimal("1E+1000000000") must not be written out.
    if not allows(number):
        raise _reject(field, value, f"must be {rule}")
    if not number:
        return ZERO  # whatever its sign and exponent
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -DECIMAL_PLACES:
        try:
            # Zeros past the 18th decimal are dropped, anything else is refused.
            return _EXACT.quantize(number, _STEP)
        except Inexact as exc:
            raise _reject(field, value, f"at most {DECIMAL_PLACES} decimals") from exc
    return number


def check_measure(field: str, value: Any, *, places: int, allows: Callable[[Decimal], bool], rule: str) -> Decimal:
    """Return a bounded statistic (a confidence, a score), rounded to its column; floats are accepted."""
    number = check_stat(field, value)
    try:
        exact = value if isinstance(value, Decimal) else Decimal(repr(number) if isinstance(value, float) else value)
        if allows(exact):
            return exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    except InvalidOperation:
        pass  # more digits than any bound has
    raise _reject(field, value, f"must be {rule}")


def check_stat(field: str, value: Any) -> float:
    """Return a finite float; ints and Decimals are converted, booleans and numpy scalars are not numbers here."""
    if _is_numpy(value) or not (type(value) in (int, float) or isinstance(value, Decimal)):
        raise _reject(field, value, f"a number (float, int or Decimal) is wanted, not {type(value).__name__}")
    try:
        number = float(value)
    except (OverflowError, ValueError) as exc:
        raise _reject(field, value, "must be finite") from exc
    if not math.isfinite(number):
        raise _reject(field, value, "must be finite")
    return number


def check_count(field: str, value: Any, *, minimum: int, maximum: int) -> int:
    """Return a whole number within bounds."""
    if type(value) is not int:
        raise _reject(field, value, f"an int is wanted, not {type(value).__name__}")
    if not minimum <= value <= maximum:
        raise _reject(field, value, f"must be between {minimum} and {maximum}")
    return value


def check_boolean(field: str, value: Any) -> bool:
    """Return True or False; nothing else counts as either."""
    if type(value) is not bool:
        raise _reject(field, value, f"True or False is wanted, not {type(value).__name__}")
    return value


def check_text(field: str, value: Any, *, length: int | None = None, blank: bool = True) -> str:
    """Return text that PostgreSQL can hold: no NUL, no lone surrogate, not over-long."""
    if not isinstance(value, str) or _is_numpy(value):
        raise _reject(field, value, f"text is wanted, not {type(value).__name__}")
    # A member of a TextChoices is a str whose own str() is its value.
    text = str(value)
    if not text and not blank:
        raise _reject(field, value, "must not be empty")
    limit = TEXT_LENGTH_MAX if length is None else length
    if len(text) > limit:
        raise _reject(field, value, f"at most {limit} characters, this has {len(text)}")
    if "\x00" in text:
        raise _reject(field, value, "must not contain a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise _reject(field, value, "must not contain a lone surrogate") from exc
    return text


def check_record(field: str, value: Any, *, known: frozenset[str], of: str) -> Mapping[str, Any]:
    """Return a record given as a mapping of the keywords of the method `of`; keywords that lack are no matter here."""
    if not isinstance(value, Mapping):
        raise _reject(field, value, f"a mapping of {of}'s keywords is wanted, not {type(value).__name__}")
    for name in value:
        if name not in known:
            raise _reject(name if isinstance(name, str) else field, name, f"is no keyword of {of}")
    return value


def refuse_unknown(given: Mapping[str, Any], *, known: frozenset[str], of: str) -> None:
    """
    Raise TypeError for a keyword that the method `of` does not list.

    A table has columns that are nobody's to give, such as a status that only moves by its state machine.
    """
    if unknown := given.keys() - known:
        raise TypeError(f"{of}() got an unexpected keyword argument {min(unknown)!r}")


def check_texts(field: str, value: Any, *, length: int | None = None) -> list[str]:
    """Return a list of texts."""
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise _reject(field, value, f"a list of texts is wanted, not {type(value).__name__}")
    return [check_text(f"{field}[{index}]", item, length=length) for index, item in enumerate(value)]


def check_choice(field: str, value: Any, *, stored: Mapping[str, str], blank: bool) -> str:
    """Return the stored form of a choice, given in any case."""
    text = check_text(field, value, blank=blank)
    if not text:
        return text
    try:
        return stored[text.casefold()]
    except KeyError as exc:
        raise _reject(field, value, f"must be one of {', '.join(stored.values())}") from exc


def check_time(field: str, value: Any) -> dt.datetime:
    """Return an aware datetime in UTC; a pandas.Timestamp is converted (whole microseconds)."""
    if not isinstance(value, dt.datetime) or value != value:  # noqa: PLR0124 - pandas.NaT is a datetime unequal to itself
        raise _reject(field, value, f"an aware datetime is wanted, not {type(value).__name__}")
    if getattr(value, "nanosecond", 0):
        raise _reject(field, value, "at most microseconds")
    # A pandas.Timestamp is a datetime, but does its own arithmetic.
    moment: dt.datetime = value.to_pydatetime() if hasattr(value, "to_pydatetime") else value
    if moment.utcoffset() is None:
        raise _reject(field, value, "a time zone is wanted; a naive time could be any")
    try:
        return moment.astimezone(dt.UTC)
    except OverflowError as exc:
        raise _reject(field, value, "must lie within the years 1 to 9999 in UTC") from exc


def check_date(field: str, value: Any) -> dt.date:
    """Return a plain date; a datetime is not one, since its day depends on the zone."""
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise _reject(field, value, f"a date is wanted, not {type(value).__name__}")
    return value


def check_uuid(field: str, value: Any) -> uuid.UUID:
    """
    Return a UUID, given as one or as its usual text with four hyphens.

    Other spellings that `uuid.UUID` reads are refused: 32 digits without hyphens are an order id at many venues.
    """
    if isinstance(value, uuid.UUID):
        return value
    if isinstance(value, str):
        try:
            parsed = uuid.UUID(value)
        except ValueError:
            pass
        else:
            if str(parsed) == value.lower():
                return parsed
    raise _reject(field, value, "a UUID is wanted")


def check_address(field: str, value: Any) -> str:
    """Return an IPv4 or IPv6 address in the form PostgreSQL shows it."""
    try:
        address = ipaddress.ip_address(check_text(field, value, blank=False))
    except ValueError as exc:
        raise _reject(field, value, "an IPv4 or IPv6 address is wanted") from exc
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise _reject(field, value, "must not have a zone")
        address = address.ipv4_mapped or address
    return str(address)


def check_json(field: str, value: Any, *, kind: type | None = None) -> Any:
    """Return a JSON value without NaN, NUL or lone surrogates; Decimals become plain text."""
    if kind is not None and not isinstance(value, kind):
        raise _reject(field, value, f"a {kind.__name__} is wanted, not {type(value).__name__}")
    return _json_tree(field, value, JSON_DEPTH_MAX)


def _json_tree(path: str, value: Any, depth: int) -> Any:
    if depth == 0:
        raise _reject(path, value, f"at most {JSON_DEPTH_MAX} levels deep")
    if value is None or type(value) is bool:
        return value
    if type(value) is int or isinstance(value, Decimal):
        return _json_number(path, value)
    if isinstance(value, str):
        return check_text(path, value)
    if isinstance(value, float) and not _is_numpy(value):
        if not math.isfinite(value):
            raise _reject(path, value, _JSON_FINITE)
        return value + 0.0  # turns -0.0, which jsonb does not keep, into 0.0
    if isinstance(value, Mapping):
        return dict(_json_items(path, value.items(), depth))
    if isinstance(value, list | tuple):
        return [_json_tree(f"{path}[{index}]", item, depth - 1) for index, item in enumerate(value)]
    raise _reject(path, value, f"{type(value).__name__} is not a JSON value")


def _json_number(path: str, value: int | Decimal) -> int | str:
    """Return an integer as it is and a Decimal as plain text; neither may take pages to write out."""
    if isinstance(value, int):
        if not -JSON_LIMIT < value < JSON_LIMIT:
            raise _reject(path, value, f"at most {JSON_DIGITS_MAX} digits")
        return value
    if not value.is_finite():
        raise _reject(path, value, _JSON_FINITE)
    if not value:
        return "0"
    exponent = value.as_tuple().exponent
    if value.adjusted() >= JSON_DIGITS_MAX or (isinstance(exponent, int) and exponent < -JSON_DIGITS_MAX):
        raise _reject(path, value, f"at most {JSON_DIGITS_MAX} digits before and behind the point")
    return plain(value)


def _json_items(path: str, items: Iterable[tuple[Any, Any]], depth: int) -> Iterable[tuple[str, Any]]:
    for key, item in items:
        if not isinstance(key, str):
            raise _reject(path, key, "keys must be text")
        yield check_text(path, key), _json_tree(f"{path}.{key}", item, depth - 1)
