"""Many records: loaded by one call, drained from a journal, and what that takes in memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.db import connections

from friren.persistence.codec import encode
from friren.persistence.drain import Drainer
from friren.persistence.journal import Address, Journal
from tests.benchmarks import rivals
from tests.benchmarks.rounds import Budget, Run, Section, Sizes, compare, whole
from tests.benchmarks.workload import Book, empty, ready_rows, told_trades
from trading_engine.services import TradeLogger
from trading_engine.trade_facts import trade_fact

__all__ = ["bulk", "load_and_tell", "memory"]

MEMORY_MB_MAX = 32


def bulk(sizes: Sizes) -> Section:
    """Trades by the ten thousand, from what a strategy tells to committed rows."""
    book = Book("bulk")
    trades = TradeLogger(book.handle)
    alchemy, peewee_rows, asyncpg_rows = rivals.SqlAlchemy(book), rivals.Peewee(book), rivals.Asyncpg()
    section = Section("bulk", "Many trades, per trade", "psycopg binary COPY")
    slow = ("Django", "SQLAlchemy", "peewee")

    def again(told: Sequence[dict[str, Any]]) -> list[float]:
        trades.bulk_log(told)
        return _counted(lambda: trades.bulk_log(told).duplicates, told)

    return compare(
        section,
        {
            section.reference: whole(rivals.copy_binary()),
            "Friren bulk_log: checked, idempotent": lambda told: _counted(lambda: trades.bulk_log(told).stored, told),
            "Friren bulk_log of the same again": again,
            "Friren drain of a journal": _drain(book),
            "asyncpg COPY": whole(asyncpg_rows.bulk),
            "Django bulk_create(5000)": whole(rivals.django_bulk(book)),
            "SQLAlchemy insert of many": whole(alchemy.bulk),
            "peewee insert_many(1000)": whole(peewee_rows.bulk),
        },
        rounds=sizes.rounds,
        records=lambda name: ready_rows(
            book, name, told_trades(sizes.slow_bulk_rows if name.startswith(slow) else sizes.bulk_rows)
        ),
        before=empty,
        budgets={
            "Friren bulk_log: checked, idempotent": Budget(1 / 0.6),
            "Friren drain of a journal": Budget(1 / 0.5),
        },
    )


def _counted(work: Any, told: Sequence[dict[str, Any]]) -> Sequence[float]:
    found: list[int] = []
    taken = whole(lambda _told: found.append(work()))(told)
    assert found == [len(told)], f"{found[0]} of {len(told)}"
    return taken


def _drain(book: Book) -> Run:
    def run(told: Sequence[dict[str, Any]]) -> Sequence[float]:
        with tempfile.TemporaryDirectory() as folder:
            journal = Journal(Path(folder) / "journal", Address.of(connections.settings["default"]))
            for one in told:
                journal.append(encode(trade_fact(book.handle, **one)), sync=False)
            drainer = Drainer(journal, using="default")
            taken = _counted(lambda: drainer.drain_all().stored, told)
            journal.close()
        return taken

    return run


def memory(sizes: Sizes) -> dict[str, Any]:
    """Peak memory of a process that loads trades from a generator, over one that loads a few, in MB."""
    Book("memory")
    found: dict[str, Any] = {"rows": sizes.memory_rows, "budget_mb": MEMORY_MB_MAX, "methods": {}}
    for method in ("Friren bulk_log", "Friren journal", "Django bulk_create of a list"):
        # A tenth of the rows shows what a list takes, and as many would take Django the better part of an hour.
        rows = sizes.memory_rows // (10 if method.startswith("Django") else 1)
        few, many = (_peak(method, count) for count in (100, rows))
        empty()
        found["methods"][method] = {"rows": rows, "mb": round(many - few, 1)}
    return found


def _peak(method: str, rows: int) -> float:
    setup = "import sys, django; from tests import postgres; django.setup()"
    work = "from tests.benchmarks.bulk import load_and_tell; load_and_tell(sys.argv[1], int(sys.argv[2]))"
    command = [sys.executable, "-c", f"{setup}; {work}", method, str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return float(done.stdout.splitlines()[-1])


def load_and_tell(method: str, rows: int) -> None:
    """Load trades, and print the peak memory of this process in MB."""
    book = Book("memory")
    told = told_trades(rows)
    if method == "Friren bulk_log":
        TradeLogger(book.handle).bulk_log(told)
    elif method == "Friren journal":
        logger = TradeLogger(book.handle, mode="journal", durability="os")
        for one in told:
            logger.log_trade(**one)
        logger.flush(600)
    else:
        rivals.django_bulk(book, batch=500)(list(told))  # a statement of 5,000 rows may meet the time limit
    sys.stdout.write(f"{_peak_of_this_process()}\n")


def _peak_of_this_process() -> float:
    # Not getrusage: its peak is handed down from the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
