"""
The digest of a fact: equal facts have equal digests, however they were written down.

The first 16 bytes of SHA-256 over the JSON of the frozen fields: keys sorted, decimals as plain
text without trailing zeros, times as whole microseconds since 1970 in UTC, UUIDs as text, nulls and
defaults left out. A JSON number that is whole is written whole (1.0 as 1), since PostgreSQL's jsonb
does not keep the difference.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from friren.core.numbers import plain

__all__ = ["DIGEST_SIZE", "canonical", "digest_of"]

DIGEST_SIZE: Final = 16

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_encoder: Final = msgspec.json.Encoder(order="sorted")


def canonical(values: Mapping[str, Any]) -> bytes:
    """Return the canonical JSON of the fields of a fact."""
    return _encoder.encode(_plain_tree(values))


def digest_of(values: Mapping[str, Any]) -> bytes:
    """Return the 16-byte digest of the fields of a fact."""
    return hashlib.sha256(canonical(values)).digest()[:DIGEST_SIZE]


def _plain_tree(value: Any) -> Any:
    # Nearly every value is of exactly one of these types.
    exact = _EXACT_FORMS.get(type(value))
    if exact is not None:
        return exact(value)
    form = _FORM_OF_TYPE.get(type(value))
    if form is not None:
        return form(value)
    if value is None or isinstance(value, str | bool):
        return value
    for kind, form in _FORMS:
        if isinstance(value, kind):
            return form(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _whole(value: int) -> int | str:
    # msgspec writes integers of 64 bits; wider ones, which jsonb takes too, are told as text.
    return value if -(2**63) <= value < 2**64 else f"int:{value}"


def _number(value: float) -> float | int | str:
    # Whole ones through their text, as jsonb reads them: 1e23 is 10²³ there, not the binary fraction next to it.
    return _whole(int(Decimal(repr(value)))) if value.is_integer() else value


# In this order: a datetime is a date.
_FORMS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (int, _whole),
    (float, _number),
    (Decimal, plain),
    (dt.datetime, lambda value: (value - _EPOCH) // _MICROSECOND),
    (dt.date, dt.date.isoformat),
    (UUID, str),
    (bytes, bytes.hex),
    (Mapping, lambda value: {key: _plain_tree(item) for key, item in value.items()}),
    (list | tuple, lambda value: [_plain_tree(item) for item in value]),
)
_EXACT_FORMS: Final[dict[type, Callable[[Any], Any]]] = {
    str: lambda value: value,
    Decimal: plain,
    UUID: str,
    dict: lambda value: {key: _plain_tree(item) for key, item in value.items()},
    list: lambda value: [_plain_tree(item) for item in value],
    dt.datetime: lambda value: (value - _EPOCH) // _MICROSECOND,
}
# Nearly every value is of exactly one of these types: found at once, without asking one after the other.
_FORM_OF_TYPE: Final[dict[type, Callable[[Any], Any]]] = {
    str: lambda value: value,
    bool: lambda value: value,
    **{kind: form for kind, form in _FORMS if isinstance(kind, type) and kind is not Mapping},
    dict: dict(_FORMS)[Mapping],
    list: dict(_FORMS)[list | tuple],
}
