"""Rows out of the database as they are told: one snapshot, a server-side cursor, memory that does not grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import connections, models, transaction

from friren.core.ids import new_id
from friren.core.models import User
from friren.persistence.archived import sources
from trading_engine.data.transfer.tables import Column, Table
from trading_engine.data.transfer.values import told_of
from trading_engine.models import Symbol, TradingPair

__all__ = ["References", "rows_of_table", "snapshot"]

# Fetched at once: some hundred kilobytes.
ROWS_AT_ONCE: Final = 1000


@contextmanager
def snapshot(using: str) -> Iterator[None]:
    """Open the transaction in which all tables are read as they stood at one moment."""
    with transaction.atomic(using=using, durable=True):
        with connections[using].cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


class References:
    """Rows that are told by name: users by theirs, symbols by [ticker, venue], pairs by two of these."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._names: dict[type[models.Model], dict[Any, Any]] = {}
        self._keys: dict[type[models.Model], dict[Any, Any]] = {}

    def name_of(self, target: type[models.Model], key: Any) -> Any:
        """Return the name of the row of `target` with this key."""
        if target not in self._names:
            self._names[target] = self._read(target)
        return self._names[target][key]

    def key_of(self, target: type[models.Model], name: Any) -> Any:
        """
        Return the key of the row of `target` with this name.

        Raises:
            LookupError: there is none.
        """
        if target not in self._keys:
            self._keys[target] = {_hashable(name): key for key, name in self._read(target).items()}
        return self._keys[target][_hashable(name)]

    def forget(self) -> None:
        """Look again: rows were added."""
        self._names.clear()
        self._keys.clear()

    def _read(self, target: type[models.Model]) -> dict[Any, Any]:
        if target is User:
            return dict(User.objects.using(self._using).values_list("id", "username"))
        symbols = Symbol.objects.using(self._using).values_list("id", "ticker", "venue")
        named = {key: [ticker, venue] for key, ticker, venue in symbols}
        if target is Symbol:
            return named
        pairs = TradingPair.objects.using(self._using).values_list("id", "symbol_1_id", "symbol_2_id")
        return {key: [named[first], named[second]] for key, first, second in pairs}


def rows_of_table(
    table: Table, *, account: UUID | None, references: References, using: str
) -> Iterator[Mapping[str, Any]]:
    """
    Yield the rows of a table by column, within a `snapshot`.

    Args:
        account: whose rows, and those of nobody; everybody's unless given.
    """
    connection = connections[using]
    connection.ensure_connection()
    name = connection.ops.quote_name
    told = [(column.name, _teller(column, references)) for column in table.columns]
    selected = ", ".join(f"t.{name(column.name)}" for column in table.columns)
    conditions = [table.where] if table.where else []
    parameters: list[Any] = []
    if account is not None and table.account:
        # What is nobody's in particular is everybody's: a regime of the market.
        conditions.append(f"(t.{name(table.account)} = %s OR t.{name(table.account)} IS NULL)")
        parameters.append(account)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    order = ", ".join(f"t.{name(column)}" for column in table.order)
    # What was archived is a fact like any other. Names come from the models.
    columns = ", ".join(name(column.name) for column in table.columns)
    columns += "".join(
        f", {name(column)}" for column in table.order if column not in {one.name for one in table.columns}
    )
    found = " UNION ALL ".join(f"SELECT {columns} FROM {one}" for one in sources(table.table, using))  # noqa: S608
    query = f"SELECT {selected} FROM ({found}) t {where} ORDER BY {order}"  # noqa: S608
    with (
        connection.wrap_database_errors,
        connection.connection.cursor(name=f"friren_export_{new_id().hex}") as cursor,
    ):
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(query, parameters)
        for row in cursor:
            yield {
                column: None if value is None else tell(value) for (column, tell), value in zip(told, row, strict=True)
            }


def _teller(column: Column, references: References) -> Callable[[Any], Any]:
    if column.target is not None:
        return partial(references.name_of, column.target)
    return told_of(column.kind)


def _hashable(name: Any) -> Any:
    return tuple(_hashable(part) for part in name) if isinstance(name, list) else name
