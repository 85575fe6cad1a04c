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
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from friren.core.numbers import plain

__all__ = ["DIGEST_SIZE", "canonical", "digest_of"]

DIGEST_SIZE: Final = 16

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_encoder: Final = msgspec.json.Encoder(order="sorted")


def canonical(values: Mapping[str, Any], *, left_out: Collection[str] = ()) -> bytes:
    """Return the canonical JSON of the fields of a fact, but for those `left_out`."""
    return _encoder.encode(
        {
            name: value if type(value) in _UNCHANGED else _FORM_OF_TYPE.get(type(value), _plain_tree)(value)
            for name, value in values.items()
            if name not in left_out
        }
    )


def digest_of(values: Mapping[str, Any], *, left_out: Collection[str] = ()) -> bytes:
    """Return the 16-byte digest of the fields of a fact, but for those `left_out`."""
    return hashlib.sha256(canonical(values, left_out=left_out)).digest()[:DIGEST_SIZE]


def _plain_tree(value: Any) -> Any:
    kind = type(value)
    if value is None or kind in _UNCHANGED:
        return value
    form = _FORM_OF_TYPE.get(kind)
    if form is not None:
        return form(value)
    if isinstance(value, str | bool):
        return value
    for of, form in _FORMS:
        if isinstance(value, of):
            return form(value)
    raise TypeError(f"{kind.__name__} has no canonical form")


def _object(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: item if type(item) in _UNCHANGED else _FORM_OF_TYPE.get(type(item), _plain_tree)(item)
        for key, item in value.items()
    }


def _decimal(value: Decimal) -> str:
    text = str(value)
    # Digits, and a point if need be, that do not end in a zero: as it is wanted.
    return text if text.isdigit() or ("E" not in text and text[-1] in "123456789") else plain(value)


def _microseconds(value: dt.datetime) -> int:
    since = value - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _whole(value: int) -> int | str:
    # msgspec writes integers of 64 bits; wider ones, which jsonb takes too, are told as text.
    return value if -(2**63) <= value < 2**64 else f"int:{value}"


def _number(value: float) -> float | int | str:
    # Whole ones through their text, as jsonb reads them: 1e23 is 10²³ there, not the binary fraction next to it.
    return _whole(int(Decimal(repr(value)))) if value.is_integer() else value


# What the encoder writes as it is wanted. Nearly every value is of exactly one of these types or of those below.
_UNCHANGED: Final = frozenset({str, bool, UUID})
# In this order: a datetime is a date.
_FORMS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (int, _whole),
    (float, _number),
    (Decimal, _decimal),
    (dt.datetime, _microseconds),
    (dt.date, dt.date.isoformat),
    (UUID, str),
    (bytes, bytes.hex),
    (Mapping, _object),
    (list | tuple, lambda value: [_plain_tree(item) for item in value]),
)
_FORM_OF_TYPE: Final[dict[type, Callable[[Any], Any]]] = {
    **{kind: form for kind, form in _FORMS if isinstance(kind, type) and kind is not Mapping},
    dict: _object,
    list: dict(_FORMS)[list | tuple],
}
