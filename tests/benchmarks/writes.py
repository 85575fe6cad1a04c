"""Single records: committed at once, or appended to the journal."""

from __future__ import annotations

import csv
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from friren.persistence import drain, engines
from portfolio_manager.data_logger import PortfolioTracker
from tests.benchmarks import rivals
from tests.benchmarks.rounds import Budget, Section, Sizes, compare, each
from tests.benchmarks.workload import Book, empty, ready_rows, told_trades
from trading_engine.services import TradeLogger

__all__ = ["journal", "loop", "single"]

WARM_UP = 50


def _warm(call: Callable[[Any], Any]) -> Callable[[Sequence[Any]], Sequence[float]]:
    """Leave out the first calls: connections are made and statements prepared by then."""
    run = each(call)
    return lambda records: run(records)[min(WARM_UP, len(records) // 2) :]


def single(sizes: Sizes) -> Section:
    """A trade, committed when the call returns."""
    book = Book("single")
    alchemy, peewee_rows, asyncpg_rows = rivals.SqlAlchemy(book), rivals.Peewee(book), rivals.Asyncpg()
    trades, tracker = TradeLogger(book.handle), PortfolioTracker(book.handle)
    section = Section("single", "One trade, committed", "psycopg prepared INSERT")
    return compare(
        section,
        {
            section.reference: _warm(rivals.raw_insert()),
            "Friren log_trade": _warm(lambda told: trades.log_trade(**told)),
            "Friren record_trade: trade, position, ledger": _warm(lambda told: tracker.record_trade(**told)),
            "Django create": _warm(rivals.django_create(book)),
            "Django full_clean and save in atomic": _warm(rivals.django_full(book)),
            "SQLAlchemy ORM add and commit": _warm(alchemy.create),
            "peewee create": _warm(peewee_rows.create),
            "asyncpg prepared INSERT": lambda told: asyncpg_rows.each(told)[WARM_UP // 2 :],
        },
        rounds=sizes.rounds,
        records=lambda name: ready_rows(
            book,
            name,
            told_trades(
                (sizes.slow_calls if name.startswith("Django full") else sizes.calls) + WARM_UP,
                single_symbol="record_trade" in name,
            ),
        ),
        before=empty,
        budgets={
            "Friren log_trade": Budget(1.25, p99=1.5),
            "Friren record_trade: trade, position, ledger": Budget(3),
        },
    )


class CsvFile:
    """What Friren replaces: a line per trade."""

    def __init__(self, *, flush: bool = True, sync: bool = False) -> None:
        self._file = tempfile.NamedTemporaryFile("w", newline="", suffix=".csv", delete=False)  # noqa: SIM115
        self._writer, self._flush, self._sync = csv.writer(self._file), flush, sync

    def append(self, told: dict[str, Any]) -> None:
        self._writer.writerow([
            told["trade_id"], told["timestamp"].isoformat(), told["symbol"], told["action"], told["quantity"],
            told["price"], told["commission"], told["strategy_used"], told["model_id"], told["regime_at_entry"],
            told["sentiment_score"], told["confidence_score"], told["reasoning"], json.dumps(told["shap_values"]),
        ])  # fmt: skip
        if self._flush:
            self._file.flush()
        if self._sync:
            os.fsync(self._file.fileno())

    def remove(self) -> None:
        self._file.close()
        Path(self._file.name).unlink()


@contextmanager
def no_drain() -> Iterator[None]:
    """Journals made meanwhile are not drained in the background."""
    really = drain.Drainer.run
    engines.close_all()
    drain.Drainer.run = lambda _self: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        for engine in engines.existing():
            engine._drainer.drain_all()
        drain.Drainer.run = really  # type: ignore[method-assign]
        engines.close_all()


def journal(sizes: Sizes) -> Section:
    """A trade, on this machine's disk when the call returns; the drain rests, to see the call alone."""
    book = Book("journal")
    section = Section("journal", "One trade, in a file", "csv.writer append and flush")
    files = {"flush": CsvFile(), "plain": CsvFile(flush=False), "sync": CsvFile(sync=True)}
    with no_drain():
        written, synced = (TradeLogger(book.handle, mode="journal", durability=how) for how in ("os", "sync"))
        compare(
            section,
            {
                section.reference: _warm(files["flush"].append),
                "Friren log_trade, journal, survives kill -9": _warm(lambda told: written.log_trade(**told)),
                "csv.writer append": _warm(files["plain"].append),
                "Friren log_trade, journal, survives a power cut": _warm(lambda told: synced.log_trade(**told)),
                "csv.writer append, flush and fsync": _warm(files["sync"].append),
            },
            rounds=sizes.rounds,
            records=lambda _name: list(told_trades(sizes.calls + WARM_UP)),
            budgets={"Friren log_trade, journal, survives kill -9": Budget(1.3)},
        )
    for file in files.values():
        file.remove()
    return section


def loop(sizes: Sizes) -> Section:
    """What logging adds to a step of a backtest: the drain works meanwhile, on the same two cores and one GIL."""
    book = Book("loop")
    section = Section(
        "loop", "Added to a step of a backtest loop, with the drain working", "csv.writer append and flush"
    )
    file, logger = CsvFile(), TradeLogger(book.handle, mode="journal", durability="os")
    create = rivals.django_create(book)

    def added(log: Callable[[Any], Any], finish: Callable[[], Any] = lambda: None) -> Any:
        def run(records: Sequence[Any]) -> list[float]:
            base = _steps(records, lambda _told: None)
            logged = _steps(records, log, finish)
            return [max(1e-9, logged - base) / len(records)]

        return run

    compare(
        section,
        {
            section.reference: added(file.append),
            "Friren log_trade, journal": added(lambda told: logger.log_trade(**told)),
            "Friren log_trade, journal, until all is stored": added(
                lambda told: logger.log_trade(**told), lambda: logger.flush(600)
            ),
            "Django create": added(create),
        },
        rounds=sizes.rounds,
        records=lambda name: list(told_trades(sizes.loop_steps // (10 if "Django" in name else 1))),
        before=lambda: (logger.flush(600), empty()),
        budgets={"Friren log_trade, journal": Budget(2)},
    )
    file.remove()
    logger.close()
    return section


def _steps(records: Sequence[Any], log: Callable[[Any], Any], finish: Callable[[], Any] = lambda: None) -> float:
    begun, total = time.perf_counter(), 0.0
    for told in records:
        for number in range(100):  # some microseconds of strategy
            total += number * 0.5
        log(told)
    finish()
    return time.perf_counter() - begun
