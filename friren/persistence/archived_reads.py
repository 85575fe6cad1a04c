"""Reads that include what was archived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

from django.db.models import QuerySet
from django.db.models.sql.datastructures import BaseTable

from friren.persistence.answers import ask
from friren.persistence.archived import archive_of

__all__ = ["with_archive"]

Queried = TypeVar("Queried", bound="QuerySet[Any, Any]")


def with_archive(rows: Queried) -> Queried:
    """
    Return a queryset over the rows of a table and of its archive, as if they lay in one.

    Every filter goes to both, and to the indexes of each. Where nothing was archived, or while the database is away
    and it was never asked, it is the queryset as it was.
    """
    table = rows.model._meta.db_table
    found = ask(("archive of", table), lambda alias: [archive_of(table, alias)], using=rows.db)
    archived = found.rows[0] if found.rows else None
    if archived is None:
        return rows
    both = rows.all()
    query: Any = both.query
    alias = query.get_initial_alias()
    columns = [str(field.column) for field in rows.model._meta.concrete_fields]
    query.alias_map[alias] = _Both(table, alias, columns=columns, archived=archived)
    return both


class _Both(BaseTable):
    """In the place of a table in a query: its rows and those of its archive, under the name of the table."""

    def __init__(self, table_name: str, alias: str | None, *, columns: Sequence[str], archived: str) -> None:
        super().__init__(table_name, alias)
        self._columns, self._archived = columns, archived

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[str | int, ...]]:
        name = connection.ops.quote_name
        listed = ", ".join(map(name, self._columns))
        # Names come from the model, never from a caller.
        parts = [f"SELECT {listed} FROM {table}" for table in (name(self.table_name), self._archived)]  # noqa: S608
        # Within another query the alias is one of Django's, which it writes without quotes.
        alias = compiler.quote_name_unless_alias(self.table_alias or self.table_name)
        return f"({' UNION ALL '.join(parts)}) {alias}", ()

    def relabeled_clone(self, change_map: Mapping[str | None, str]) -> Self:
        alias = change_map.get(self.table_alias, self.table_alias)
        return type(self)(self.table_name, alias, columns=self._columns, archived=self._archived)
