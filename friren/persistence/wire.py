"""
Values as the text that PostgreSQL reads, by the type of their column.

psycopg finds the form of every value anew, in every row. Here the columns say it once, which is half of what writing a
record costs this process. Every form but that of plain texts is ASCII without NUL; where a text parameter would end at
a NUL in silence, the text goes in binary, which is the same bytes, and the server refuses it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

import msgspec
from django.contrib.postgres.fields import ArrayField
from django.db import models

__all__ = ["BINARY", "NULL", "TEXT", "Form", "escaped", "form_of", "in_line"]

# Codes of a parameter's format in PostgreSQL's protocol.
TEXT: Final = 0
BINARY: Final = 1
# What stands for NULL in a line of COPY.
NULL: Final = r"\N"

Form = Callable[[Any], str]

_encode: Final = msgspec.json.Encoder().encode


def form_of(field: models.Field[Any, Any]) -> tuple[int, Form]:
    """Return the format in which a column's values go as a parameter, and what brings one that is not None into it."""
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    return next((found for kind, found in _FORMS if isinstance(target, kind)), (TEXT, str))


def in_line(field: models.Field[Any, Any]) -> Form:
    """Return what brings a value that is not None into its place in a line of COPY."""
    form = form_of(field)[1]
    if form in _NEVER_ESCAPED:
        return form
    return escaped if form is _same else lambda value: escaped(form(value))


def escaped(text: str) -> str:
    """Return text as it stands in a line of COPY."""
    if text.isprintable() and "\\" not in text:
        return text
    text = text.replace("\\", "\\\\").replace("\t", "\\t")
    return text.replace("\n", "\\n").replace("\r", "\\r")


def _same(value: str) -> str:
    # A member of a TextChoices is a str whose own str() is its value.
    return value if type(value) is str else str(value)


def _hex(value: Any) -> str:
    found: str = value.hex
    return found


def _boolean(value: bool) -> str:
    return "t" if value else "f"


def _json(value: Any) -> str:
    return _encode(value).decode()


def _bytes(value: bytes) -> str:
    return "\\x" + value.hex()


def _texts(value: list[str]) -> str:
    quoted = ('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in value)
    return f"{{{','.join(quoted)}}}"


_FORMS: Final[tuple[tuple[type[models.Field[Any, Any]], tuple[int, Form]], ...]] = (
    (models.UUIDField, (TEXT, _hex)),
    (models.DateTimeField, (TEXT, dt.datetime.isoformat)),
    (models.BooleanField, (TEXT, _boolean)),
    (models.JSONField, (TEXT, _json)),
    (models.BinaryField, (TEXT, _bytes)),
    (ArrayField, (TEXT, _texts)),
    (models.GenericIPAddressField, (TEXT, str)),  # a CharField in Django, no text in PostgreSQL
    (models.CharField, (BINARY, _same)),
    (models.TextField, (BINARY, _same)),
)
_NEVER_ESCAPED: Final = frozenset({_hex, _boolean, dt.datetime.isoformat, str})
