"""The SQL of the books, run prepared on Django's own connection. Why: docs/decisions/0015."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

import psycopg
from django.db import connections, models

from friren.core.models import Account
from portfolio_manager.models import (
    AccountState,
    CashMovement,
    CorporateAction,
    LedgerEntry,
    MarketResolution,
    PortfolioSnapshot,
    Position,
    PositionFill,
    ProfitPeak,
    TradeIdea,
)
from trading_engine.models import (
    Order,
    OrderStatusEvent,
    SentimentData,
    Signal,
    Symbol,
    Trade,
    TradeSentiment,
    TradeStatusEvent,
)

__all__ = [
    "NAMED",
    "Parameters",
    "Row",
    "execute",
    "execute_many",
    "insert_sql",
    "pipelined",
    "query",
    "query_all",
    "sql",
    "standing_for",
    "update_sql",
    "upsert_sql",
]

Row = tuple[Any, ...]
# A call looks at its deadline between waits, and this many rows are one wait: tens of milliseconds.
ROWS_AT_ONCE: Final = 500
Parameters = Mapping[str, Any] | Sequence[Any]


NAMED: Final[tuple[type[models.Model], ...]] = (
    Account, AccountState, CashMovement, CorporateAction, LedgerEntry, MarketResolution, Order, OrderStatusEvent,
    PortfolioSnapshot, Position, PositionFill, ProfitPeak, SentimentData, Signal, Symbol, Trade, TradeIdea,
    TradeSentiment, TradeStatusEvent,
)  # fmt: skip
# What stands for some of the tables instead of themselves, see `standing_for`.
_instead: Final[ContextVar[tuple[tuple[str, str], ...]]] = ContextVar("friren_books_tables", default=())


def sql(text: str) -> str:
    """Return SQL in which {Model} stands for the model's table."""
    return _named(text, _instead.get())


@functools.cache
def _named(text: str, instead: tuple[tuple[str, str], ...]) -> str:
    return text.format(**{model.__name__: f'"{model._meta.db_table}"' for model in NAMED} | dict(instead))


@contextlib.contextmanager
def standing_for(tables: Mapping[str, str]) -> Iterator[None]:
    """Let {Model} stand for something else than the model's table in what this thread asks meanwhile."""
    token = _instead.set(tuple(sorted(tables.items())))
    try:
        yield
    finally:
        _instead.reset(token)


@contextlib.contextmanager
def pipelined(using: str) -> Iterator[None]:
    """Send statements without waiting for each other's end; an error shows at the next read, or at the end."""
    connection = connections[using]
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def query(using: str, text: str, parameters: Parameters) -> list[Row]:
    """Return the rows of a query, see `sql`."""
    with connections[using].wrap_database_errors, _cursor(using) as cursor:
        cursor.execute(sql(text), parameters)
        return cursor.fetchall()


def query_all(using: str, *questions: tuple[str, Parameters]) -> list[list[Row]]:
    """Return the rows of several queries in one round trip; each sees what is committed when its turn comes."""
    with pipelined(using), contextlib.ExitStack() as stack:
        cursors = [stack.enter_context(_cursor(using)) for _ in questions]
        for cursor, (text, parameters) in zip(cursors, questions, strict=True):
            cursor.execute(sql(text), parameters)
        return [cursor.fetchall() for cursor in cursors]


def execute(using: str, text: str, parameters: Parameters) -> None:
    """Run a statement that returns nothing, see `sql`."""
    with connections[using].wrap_database_errors, _cursor(using) as cursor:
        cursor.execute(sql(text), parameters)


def execute_many(using: str, text: str, rows: Sequence[Row]) -> None:
    """Run a statement that returns nothing for every row, see `sql`."""
    with connections[using].wrap_database_errors, _cursor(using) as cursor:
        if len(rows) == 1:
            cursor.execute(sql(text), rows[0])
            return
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            cursor.executemany(sql(text), rows[begin : begin + ROWS_AT_ONCE])


def _cursor(using: str) -> psycopg.Cursor[Row]:
    """Return a cursor that binds on the server, so that a statement is parsed and planned once per connection."""
    connection = connections[using]
    connection.ensure_connection()
    return psycopg.Cursor(connection.connection)


@functools.cache
def upsert_sql(model: type[models.Model], columns: tuple[str, ...]) -> str:
    """Return the SQL that writes a row with these columns, `id` first, over the one that is there."""
    moved = [column for column in (*columns, *_times(model)) if column not in {columns[0], "created_at"}]
    sets = ", ".join(f'"{column}" = EXCLUDED."{column}"' for column in moved)
    return f"{insert_sql(model, columns)} ON CONFLICT (id) DO UPDATE SET {sets}"


@functools.cache
def insert_sql(model: type[models.Model], columns: tuple[str, ...], *, rows: int = 1) -> str:
    """Return the SQL that writes so many new rows with these columns."""
    times = _times(model)
    names = ", ".join(f'"{column}"' for column in (*columns, *times))
    marks = ", ".join([*(["%s"] * len(columns)), *(["statement_timestamp()"] * len(times))])
    # Names come from the models, never from a caller.
    return f'INSERT INTO "{model._meta.db_table}" ({names}) VALUES {", ".join([f"({marks})"] * rows)}'


@functools.cache
def update_sql(model: type[models.Model], columns: tuple[str, ...]) -> str:
    """Return the SQL that writes these columns of the row whose `id` comes after them."""
    sets = ", ".join(f'"{column}" = %s' for column in columns)
    return f'UPDATE "{model._meta.db_table}" SET {sets}, updated_at = statement_timestamp() WHERE id = %s'


def _times(model: type[models.Model]) -> list[str]:
    return [field.column for field in model._meta.concrete_fields if field.column in {"created_at", "updated_at"}]
