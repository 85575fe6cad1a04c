"""Fact rows as the text that COPY gives, hashed: the same on every server, whatever it is configured to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Final, NamedTuple

from django.db import connections, transaction

from friren.operations.audit.layout import Layout

__all__ = ["TEXT_FORM", "Row", "copied", "one_snapshot", "read_rows"]

# What decides how COPY writes a value down, whatever the server or the role is configured to.
TEXT_FORM: Final = {
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
}


class Row(NamedTuple):
    """
    A row of a fact table.

    Attributes:
        seq: its `recorded_seq`.
        id: as text.
        leaf: the hash of its sealed columns.
        text: what is hashed, b"" unless it was asked for.
    """

    seq: int
    id: bytes
    leaf: bytes
    text: bytes


@contextmanager
def one_snapshot(using: str) -> Iterator[None]:
    """Open a transaction in which every statement sees the same rows, and COPY writes values down our way."""
    with transaction.atomic(using=using, durable=True), connections[using].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for name, value in TEXT_FORM.items():
            cursor.execute(f"SET LOCAL {name} = '{value}'")
        yield


@contextmanager
def copied(layout: Layout, first: int, last: int, *, using: str) -> Iterator[Iterable[Any]]:
    """Yield the lines of the rows numbered `first` to `last`, archived ones too, as COPY writes them down."""
    connection: Any = connections[using]
    # The errors of a COPY come past Django's own wrapping.
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(layout.copy_sql(first, last, using=using)) as copy,
    ):
        yield copy


def read_rows(layout: Layout, first: int, last: int, *, using: str, keep_text: bool = False) -> list[Row]:
    """
    Return the rows numbered `first` to `last`, archived ones too, in the order of (recorded_seq, id).

    Within `one_snapshot`. Sorted here: rows come nearly in order, and the server would sort their whole text.
    """
    rows: list[tuple[int, bytes, bytes, bytes]] = []
    with copied(layout, first, last, using=using) as lines:
        for line in lines:
            text = bytes(line)
            seq, _, rest = text.partition(b"\t")
            # A leaf hash after RFC 6962, in place: the call would cost as much as the hash.
            rows.append((int(seq), rest[:36], sha256(b"\x00" + text).digest(), text if keep_text else b""))
    rows.sort()
    return [Row(*row) for row in rows]
