"""Threads that log at the same time, against threads that insert from a pool of psycopg's, and other ways."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections
from psycopg_pool import ConnectionPool

from tests.benchmarks import rivals
from tests.benchmarks.rounds import Budget, Run, Section, Sizes, compare
from tests.benchmarks.workload import URL, Book, empty, insert_sql, ready_rows, told_trades
from tests.benchmarks.writes import CsvFile
from trading_engine.services import TradeLogger

__all__ = ["POOL_SIZE", "threads"]

# Of every method that has a pool; Friren's own is as large (FRIREN_WRITE_CONNECTIONS).
POOL_SIZE = 8
SLOW = ("Django", "SQLAlchemy", "peewee")


def threads(sizes: Sizes, *, count: int) -> Section:
    """Time per trade of all threads together."""
    book = Book("threads")
    logger, sql, file = TradeLogger(book.handle), insert_sql(), CsvFile()
    alchemy, peewee_rows = rivals.SqlAlchemy(book, pool=POOL_SIZE), rivals.Peewee(book)
    asyncpg_rows = rivals.Asyncpg(pool=POOL_SIZE)
    title = f"Trades from {count} threads, per trade" if count > 1 else "Trades from one thread, per trade"
    section = Section(f"threads_{count}", title, "psycopg_pool INSERT")
    kept = {"autocommit": True, "prepare_threshold": 0}
    written = threading.Lock()
    with (
        ConnectionPool(URL, min_size=min(count, POOL_SIZE), max_size=POOL_SIZE, kwargs=kept, open=True) as pool,
        ThreadPoolExecutor(count) as workers,
    ):

        def insert(values: Any) -> None:
            with pool.connection() as connection:
                connection.execute(sql, values)

        def append(told: dict[str, Any]) -> None:
            with written:
                file.append(told)

        def spread(call: Callable[[Any], Any]) -> Run:
            return _spread(call, count, workers)

        compare(
            section,
            {
                section.reference: spread(insert),
                "Friren log_trade": spread(lambda told: logger.log_trade(**told)),
                "Django create": spread(rivals.django_create(book)),
                "SQLAlchemy ORM add and commit": spread(alchemy.create_pooled),
                "peewee create": spread(peewee_rows.create),
                "asyncpg, as many tasks": lambda rows: asyncpg_rows.tasks(rows, count),
                "csv.writer append and flush, locked": spread(append),
            },
            rounds=sizes.rounds,
            records=lambda name: ready_rows(
                book, name, told_trades(sizes.slow_thread_calls if name.startswith(SLOW) else sizes.thread_calls)
            ),
            before=empty,
            budgets={"Friren log_trade": Budget(1 / 0.85)},
        )
        spread(lambda _number: connections.close_all())(range(count))
        spread(lambda _number: peewee_rows.close())(range(count))
    file.remove()
    alchemy.close()
    asyncpg_rows.close()
    return section


def _spread(call: Callable[[Any], Any], count: int, workers: ThreadPoolExecutor) -> Run:
    """Share the records out among threads that begin together; they stay, so that each connects once."""

    def run(records: Sequence[Any]) -> list[float]:
        gate = threading.Barrier(count + 1)

        def work(part: Sequence[Any]) -> None:
            gate.wait()
            for told in part:
                call(told)

        working = [workers.submit(work, records[number::count]) for number in range(count)]
        gate.wait()
        begun = time.perf_counter()
        for one in working:
            one.result()
        return [(time.perf_counter() - begun) / len(records)]

    return run
