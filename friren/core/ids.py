"""
Identities that exist before the database has seen the record.

Facts of our own get a UUIDv7 (RFC 9562: ordered by time). Facts with a natural key, and facts of
other systems, get a UUIDv5 of that key, so that the same fact from two places is one row.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from friren.core.numbers import plain

__all__ = ["FRIREN_NAMESPACE", "natural_id", "new_id"]

# Fixed for ever: every derived id of every database hangs on it. uuid5(NAMESPACE_DNS, "friren").
FRIREN_NAMESPACE: Final = UUID("8e92423d-994e-52ac-aaed-ceed5a08ca16")

_IN_NAMESPACE: Final = hashlib.sha1(FRIREN_NAMESPACE.bytes, usedforsecurity=False)

# Parts cannot run together: where one holds the separator itself, it is written as escape and letter.
_SEPARATOR: Final = "\x1f"
_ESCAPE: Final = "\x1b"
_ESCAPED: Final = str.maketrans({_SEPARATOR: f"{_ESCAPE}s", _ESCAPE: f"{_ESCAPE}e"})


def new_id() -> UUID:
    """Return a new UUIDv7."""
    return uuid7()


def natural_id(kind: str, *parts: object) -> UUID:
    """
    Return the UUIDv5 of a natural key.

    Equal keys give equal ids in whatever time zone or with whatever trailing zeros they were written.

    Args:
        kind: the kind of fact, e.g. "price"; keys of different kinds never collide.
        parts: text, integers, decimals, UUIDs, dates, aware datetimes or None, in the order of the key.
    """
    text = _SEPARATOR.join((kind, *map(_key_text, parts)))
    # As uuid.uuid5 does it, with the namespace hashed once.
    sha1 = _IN_NAMESPACE.copy()
    sha1.update(text.encode())
    return UUID(bytes=sha1.digest()[:16], version=5)


def _key_text(part: object) -> str:
    if part is None:
        return ""
    if isinstance(part, dt.datetime):
        return part.astimezone(dt.UTC).isoformat(timespec="microseconds")
    if isinstance(part, Decimal):
        return plain(part)
    text = str(part)
    # Nearly no text needs it, and looking is far cheaper than translating.
    return text.translate(_ESCAPED) if _SEPARATOR in text or _ESCAPE in text else text
