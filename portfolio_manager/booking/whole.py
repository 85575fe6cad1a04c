"""
The books whole: what is worked with and what was archived of them.

Knots of rows go to the archive whole, so what is folded, locked and written concerns the tables alone. What is summed
over all time, compared from the first fact on, or told by its id asks both places, in one statement: it sees each row
in one of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Final

from django.db import connections, models

from friren.persistence.archived import archives_of
from portfolio_manager.booking.database import NAMED, Parameters, Row, query, standing_for

__all__ = ["in_archive", "query_whole", "whole_books"]

_BY_TABLE: Final = {model._meta.db_table: model for model in NAMED}


def query_whole(using: str, text: str, parameters: Parameters) -> list[Row]:
    """Return the rows of a query over the books and what was archived of them, see `sql`."""
    while True:
        seen = archives_of(list(_BY_TABLE), using)
        with standing_for(_both(seen, using)):
            rows = query(using, text, parameters)
        # The first archive of a table may have been made in between, and have been missed.
        if seen or not archives_of(list(_BY_TABLE), using):
            return rows


@contextlib.contextmanager
def whole_books(using: str) -> Iterator[bool]:
    """
    Let what is asked of the books meanwhile be asked of what was archived of them too; the books are locked.

    Yields whether anything was archived. For reading alone.
    """
    found = archives_of(list(_BY_TABLE), using)
    with standing_for(_both(found, using)):
        yield bool(found)


@contextlib.contextmanager
def in_archive(using: str) -> Iterator[Mapping[str, str]]:
    """Let what is asked meanwhile be asked of the archive alone where there is one of a table; yields those."""
    found = archives_of(list(_BY_TABLE), using)
    with standing_for({_BY_TABLE[table].__name__: name for table, name in found.items()}):
        yield found


def _both(archives: Mapping[str, str], using: str) -> dict[str, str]:
    return {_BY_TABLE[table].__name__: _union(_BY_TABLE[table], name, using) for table, name in archives.items()}


def _union(model: type[models.Model], archived: str, using: str) -> str:
    name = connections[using].ops.quote_name
    listed = ", ".join(name(str(field.column)) for field in model._meta.concrete_fields)
    # Names come from the model, never from a caller.
    return f"(SELECT {listed} FROM {name(model._meta.db_table)} UNION ALL SELECT {listed} FROM {archived})"
