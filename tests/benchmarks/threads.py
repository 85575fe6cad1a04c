"""Threads that log at the same time, against threads that insert from a pool of psycopg's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from psycopg_pool import ConnectionPool

from tests.benchmarks.rounds import Budget, Section, Sizes, compare
from tests.benchmarks.workload import URL, Book, empty, insert_sql, ready_rows, told_trades
from trading_engine.services import TradeLogger

__all__ = ["threads"]

POOL_SIZE = 8


def threads(sizes: Sizes, *, count: int) -> Section:
    """Time per trade of all threads together."""
    book = Book("threads")
    logger, sql = TradeLogger(book.handle), insert_sql()
    section = Section(f"threads_{count}", f"Trades from {count} threads, per trade", "psycopg_pool INSERT")
    kept = {"autocommit": True, "prepare_threshold": 0}
    with ConnectionPool(URL, min_size=min(count, POOL_SIZE), max_size=POOL_SIZE, kwargs=kept, open=True) as pool:

        def insert(values: Any) -> None:
            with pool.connection() as connection:
                connection.execute(sql, values)

        def log(told: dict[str, Any]) -> None:
            logger.log_trade(**told)

        return compare(
            section,
            {section.reference: _spread(insert, count), "Friren log_trade": _spread(log, count)},
            rounds=sizes.rounds,
            records=lambda name: ready_rows(book, name, told_trades(sizes.calls * 2)),
            before=empty,
            budgets={"Friren log_trade": Budget(1 / 0.85)},
        )


def _spread(call: Callable[[Any], Any], count: int) -> Callable[[Sequence[Any]], list[float]]:
    def run(records: Sequence[Any]) -> list[float]:
        failed: list[BaseException] = []

        def work(part: Sequence[Any]) -> None:
            try:
                for told in part:
                    call(told)
            except Exception as exc:  # noqa: BLE001 - raised below
                failed.append(exc)

        workers = [threading.Thread(target=work, args=(records[number::count],)) for number in range(count)]
        begun = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if failed:
            raise failed[0]
        return [(time.perf_counter() - begun) / len(records)]

    return run
