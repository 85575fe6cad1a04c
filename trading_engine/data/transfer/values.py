"""Values of rows as files have them: plain text and numbers, the same whatever the format."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.core.numbers import plain
from trading_engine.data.transfer.tables import Column

__all__ = ["Digest", "python_of", "told_of"]

_MODULUS: Final = 1 << 64


def told_of(kind: str) -> Callable[[Any], Any]:
    """
    Return what makes of a value of PostgreSQL's type `kind` the value that is told.

    Decimals become text without trailing zeros, times ISO 8601 in UTC to the microsecond, ids and dates text, bytes
    hexadecimal digits. What JSON has itself stays as it is.
    """
    return next((tell for kinds, tell in _TOLD if kind.partition("(")[0] in kinds), _same)


def python_of(kind: str) -> Callable[[Any], Any]:
    """
    Return what makes of a told value the value that a column of type `kind` takes.

    It raises ValueError, TypeError or ArithmeticError for what is none.
    """
    return next((read for kinds, read in _READ if kind.partition("(")[0] in kinds), _same)


def _same(value: Any) -> Any:
    return value


def _moment(value: dt.datetime) -> str:
    return value.astimezone(dt.UTC).isoformat(timespec="microseconds")


def _document(value: Any) -> Any:
    # Django has it handed over as text.
    return json.loads(value) if isinstance(value, str) else value


def _number(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise TypeError("a decimal is told as text")
    return Decimal(value)


_TOLD: Final[tuple[tuple[tuple[str, ...], Callable[[Any], Any]], ...]] = (
    (("numeric",), plain),
    (("timestamp with time zone",), _moment),
    (("date",), dt.date.isoformat),
    (("uuid", "inet"), str),
    (("bytea",), lambda value: bytes(value).hex()),
    (("jsonb",), _document),
)
_READ: Final[tuple[tuple[tuple[str, ...], Callable[[Any], Any]], ...]] = (
    (("numeric",), _number),
    (("timestamp with time zone",), dt.datetime.fromisoformat),
    (("date",), dt.date.fromisoformat),
    (("uuid",), UUID),
    (("bytea",), bytes.fromhex),
)


class Digest:
    """
    A sum over rows that depends on each of them and not on their order: of each the first 64 bits of SHA-256.

    Args:
        columns: of the table; what the database assigns is left out.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns if column.digested]
        self.rows, self._sum = 0, 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row of told values."""
        text = json.dumps([row[name] for name in self._names], sort_keys=True, separators=(",", ":"))
        self._sum += int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        self.rows += 1

    @property
    def text(self) -> str:
        """The sum as 16 hexadecimal digits."""
        return f"{self._sum % _MODULUS:016x}"
