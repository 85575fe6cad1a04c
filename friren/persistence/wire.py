"""
Values as PostgreSQL reads them: bytes, by the type of their column.

psycopg finds the form of every value anew at every statement. Here the columns say it once: half of what an insert
costs this process is saved. Formats are those of PostgreSQL's own send and receive functions.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec
from django.contrib.postgres.fields import ArrayField
from django.db import models

__all__ = ["BINARY", "TEXT", "Encoder", "encoder_of", "json_bytes"]

# Codes of a parameter's format in PostgreSQL's protocol.
TEXT: Final = 0
BINARY: Final = 1

Encoder = Callable[[Any], bytes]

_MICROSECOND: Final = dt.timedelta(microseconds=1)
# What PostgreSQL counts microseconds from.
_EPOCH: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_JSONB_VERSION: Final = b"\x01"
_pack_int8: Final = struct.Struct("!q").pack

json_bytes: Final = msgspec.json.Encoder().encode


def encoder_of(field: models.Field[Any, Any]) -> tuple[int, Encoder]:
    """Return the format of a column's values, and what brings a value that is not None into it."""
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    return next((form for kind, form in _FORMS if isinstance(target, kind)), (TEXT, _shown))


def _shown(value: Any) -> bytes:
    return str(value).encode()


def _text(value: str) -> bytes:
    # Binary, because a text parameter ends at a NUL: this way the server refuses one.
    return value.encode()


def _uuid(value: Any) -> bytes:
    found: bytes = value.bytes
    return found


def _time(value: dt.datetime) -> bytes:
    return _pack_int8((value - _EPOCH) // _MICROSECOND)


def _boolean(value: bool) -> bytes:
    return b"t" if value else b"f"


def _jsonb(value: Any) -> bytes:
    return _JSONB_VERSION + json_bytes(value)


def _texts(value: list[str]) -> bytes:
    quoted = ('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in value)
    return f"{{{','.join(quoted)}}}".encode()


_FORMS: Final[tuple[tuple[type[models.Field[Any, Any]], tuple[int, Encoder]], ...]] = (
    (models.UUIDField, (BINARY, _uuid)),
    (models.DateTimeField, (BINARY, _time)),
    (models.BooleanField, (TEXT, _boolean)),
    (models.JSONField, (BINARY, _jsonb)),
    (models.BinaryField, (BINARY, bytes)),
    (ArrayField, (TEXT, _texts)),
    (models.GenericIPAddressField, (TEXT, _shown)),  # a CharField in Django, no text in PostgreSQL
    (models.CharField, (BINARY, _text)),
    (models.TextField, (BINARY, _text)),
)
