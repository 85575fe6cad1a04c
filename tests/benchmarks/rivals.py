"""The same rows by other means, each as its documentation says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import peewee
import sqlalchemy
from django.db import transaction
from playhouse.psycopg3_ext import Psycopg3Database
from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session, registry

from tests.benchmarks.workload import COLUMNS, Book, connect, insert_sql, json_columns
from trading_engine.models import Trade

__all__ = [
    "Asyncpg",
    "Peewee",
    "SqlAlchemy",
    "copy_binary",
    "django_bulk",
    "django_create",
    "django_full",
    "raw_insert",
]


def raw_insert() -> Callable[[dict[str, Any]], Any]:
    """One prepared INSERT of ready values, and its commit: the floor."""
    connection, sql = connect(prepare_threshold=0), insert_sql()
    return lambda values: connection.execute(sql, values)


def django_create(book: Book) -> Callable[[dict[str, Any]], Any]:
    return lambda told: Trade.objects.create(**book.row(told))


def django_full(book: Book) -> Callable[[dict[str, Any]], Any]:
    """The careful way: checked by the model, in a transaction."""

    def call(told: dict[str, Any]) -> None:
        with transaction.atomic():
            trade = Trade(**book.row(told))
            trade.full_clean(exclude=["market", "event"])
            trade.save(force_insert=True)

    return call


def copy_binary() -> Callable[[Sequence[Any]], Any]:
    """Binary COPY of ready rows: the floor of bulk loading."""
    connection = connect()
    # The table's own types: binary COPY converts nothing.
    with connection.execute(f"SELECT {', '.join(COLUMNS)} FROM trading_engine_trade LIMIT 0") as cursor:
        oids = [column.type_code for column in cursor.description or ()]

    def work(rows: Sequence[Any]) -> None:
        statement = f"COPY trading_engine_trade ({', '.join(COLUMNS)}) FROM STDIN (FORMAT BINARY)"
        with connection.cursor() as cursor, cursor.copy(statement) as target:
            target.set_types(oids)
            for row in rows:
                target.write_row(row)

    return work


def django_bulk(book: Book, *, batch: int = 5000) -> Callable[[Sequence[dict[str, Any]]], Any]:
    return lambda trades: Trade.objects.bulk_create([Trade(**book.row(told)) for told in trades], batch_size=batch)


class SqlAlchemy:
    """SQLAlchemy 2 on psycopg 3, its table read from the database."""

    def __init__(self, book: Book, *, pool: int = 1) -> None:
        self.book = book
        self.engine = sqlalchemy.create_engine(
            "postgresql+psycopg://", creator=connect_plain, pool_size=pool, max_overflow=0
        )
        self.table = sqlalchemy.Table("trading_engine_trade", sqlalchemy.MetaData(), autoload_with=self.engine)
        mapped = type("MappedTrade", (), {})
        registry().map_imperatively(mapped, self.table)
        self.mapped: Any = mapped
        self.session = Session(self.engine, expire_on_commit=False)

    def create(self, told: dict[str, Any]) -> None:
        trade = self._trade(told)
        self.session.add(trade)
        self.session.commit()
        self.session.expunge(trade)

    def create_pooled(self, told: dict[str, Any]) -> None:
        with Session(self.engine, expire_on_commit=False) as session:
            session.add(self._trade(told))
            session.commit()

    def _trade(self, told: dict[str, Any]) -> Any:
        trade = self.mapped()
        for name, value in self.book.row(told).items():
            setattr(trade, name, value)
        return trade

    def close(self) -> None:
        self.session.close()
        self.engine.dispose()

    def bulk(self, trades: Sequence[dict[str, Any]]) -> None:
        with self.engine.begin() as connection:
            connection.execute(self.table.insert(), [self.book.row(told) for told in trades])


def connect_plain() -> Any:
    connection = connect()
    connection.autocommit = False
    return connection


class Peewee:
    """peewee on psycopg 3: a connection per thread (its pool does not know this psycopg)."""

    def __init__(self, book: Book) -> None:
        self.book = book
        connection = connect()
        parts = connection.info
        self.database = Psycopg3Database(parts.dbname, host=parts.host, port=parts.port, user=parts.user)
        fields: dict[str, Any] = {name: peewee.BareField(null=True) for name in COLUMNS}
        fields["id"] = peewee.BareField(primary_key=True)
        meta = type("Meta", (), {"database": self.database, "table_name": "trading_engine_trade"})
        self.model: Any = type("PeeweeTrade", (peewee.Model,), {**fields, "Meta": meta})
        connection.close()

    def _row(self, told: dict[str, Any]) -> dict[str, Any]:
        row = self.book.row(told)
        return row | {name: Jsonb(row[name]) for name in json_columns()}

    def create(self, told: dict[str, Any]) -> None:
        self.model.create(**self._row(told))

    def close(self) -> None:
        """Close the connection of this thread."""
        self.database.close()

    def bulk(self, trades: Sequence[dict[str, Any]]) -> None:
        with self.database.atomic():
            for rows in peewee.chunked([self._row(told) for told in trades], 1000):
                self.model.insert_many(rows).execute()


class Asyncpg:
    """asyncpg, on an event loop of its own that runs for a whole round."""

    def __init__(self, *, pool: int = 1) -> None:
        self.loop = asyncio.new_event_loop()
        with connect() as connection:
            parts = connection.info
            told = {"host": parts.host, "port": parts.port, "user": parts.user, "database": parts.dbname}
        self.connection = self.loop.run_until_complete(asyncpg.connect(**told))
        self.pool = self.loop.run_until_complete(_pool_of(pool, told))

    def each(self, rows: Sequence[Any]) -> list[float]:
        return self.loop.run_until_complete(self._each(rows))

    async def _each(self, rows: Sequence[Any]) -> list[float]:
        statement, taken = await self.connection.prepare(insert_sql("$")), []
        for row in rows:
            begun = time.perf_counter()
            await statement.fetch(*row)
            taken.append(time.perf_counter() - begun)
        return taken

    def tasks(self, rows: Sequence[Any], count: int) -> list[float]:
        return self.loop.run_until_complete(self._tasks(rows, count))

    async def _tasks(self, rows: Sequence[Any], count: int) -> list[float]:
        statement = insert_sql("$")

        async def work(part: Sequence[Any]) -> None:
            for row in part:
                async with self.pool.acquire() as connection:
                    await connection.execute(statement, *row)

        begun = time.perf_counter()
        await asyncio.gather(*(work(rows[number::count]) for number in range(count)))
        return [(time.perf_counter() - begun) / len(rows)]

    def close(self) -> None:
        self.loop.run_until_complete(self.pool.close())
        self.loop.run_until_complete(self.connection.close())
        self.loop.close()

    def bulk(self, rows: Sequence[Any]) -> None:
        copying = self.connection.copy_records_to_table("trading_engine_trade", records=rows, columns=COLUMNS)
        self.loop.run_until_complete(copying)


async def _pool_of(size: int, told: dict[str, Any]) -> Any:
    return await asyncpg.create_pool(min_size=size, max_size=size, **told)
