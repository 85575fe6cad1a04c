"""How long the same reads take from the files and from the database."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from friren.accounts import AccountHandle
from trading_engine.data.prescient import files_of, table_named
from trading_engine.data.prescient.telling import EXIT, VENUE
from trading_engine.data.storage.postgres import PostgresStorage
from trading_engine.services.trade_logger import TradeLogger

__all__ = ["ReadTimes", "benchmark_reads"]

# Medians of fewer say nothing on a machine that does other things, too.
ROUNDS_MIN: Final = 5
PAGE_ROWS: Final = 100


@dataclass(frozen=True, slots=True)
class ReadTimes:
    """
    What one read takes: medians, in milliseconds.

    Attributes:
        ratio: how many times faster the database is.
        same: both sides gave the same records; ends of positions, which no file of trades has, left aside.
    """

    read: str
    records: int
    file_ms: float
    database_ms: float
    ratio: float
    same: bool


def benchmark_reads(account: AccountHandle, root: Path, *, rounds: int = ROUNDS_MIN) -> list[ReadTimes]:
    """
    Read the same from both sides, in turns, and return what it takes. Reads of files that are not there are left out.

    The file's side is what a program does that has nothing but the file: load the JSON, and filter.

    Args:
        rounds: of which the median is taken; at least five.
    """
    trades, storage = TradeLogger(account), PostgresStorage(account)
    try:
        found = [
            _measured(name, by_file, by_database, max(rounds, ROUNDS_MIN))
            for name, by_file, by_database in _reads(root, trades, storage)
        ]
    finally:
        trades.close()
        storage.close()
    return found


Read = Callable[[], list[str]]


def _reads(root: Path, trades: TradeLogger, storage: PostgresStorage) -> list[tuple[str, Read, Read]]:
    reads: list[tuple[str, Read, Read]] = []
    if files_of(root, table_named("trades")):
        (path,) = files_of(root, table_named("trades"))
        reads.append(("latest trades", lambda: _latest(path), lambda: _page(trades)))
    if files_of(root, table_named("portfolio")):
        (document,) = files_of(root, table_named("portfolio"))
        reads.append(("portfolio", lambda: _portfolio(document), lambda: _stored_portfolio(storage)))
    if files_of(root, table_named("signals")):
        (current,) = files_of(root, table_named("signals"))
        reads.append(("current signals", lambda: _ids(_loaded(current)), lambda: _ids(storage.load("signals"))))
    return reads


def _loaded(path: Path) -> Any:
    with path.open(encoding="utf-8") as file:
        return json.load(file)


def _latest(path: Path) -> list[str]:
    """Return the ids of the newest trades that were bought on YES or NO, as a program does that has only the file."""
    found = [trade for trade in _loaded(path) if trade["action"] in {"buy_yes", "buy_no"}]
    found.sort(key=lambda trade: trade["timestamp"], reverse=True)
    return [trade["trade_id"] for trade in found[:PAGE_ROWS]]


def _page(trades: TradeLogger) -> list[str]:
    rows = trades.get_trade_history(limit=PAGE_ROWS)
    return [row.external_id for row in rows if row.venue == VENUE and not row.external_id.endswith(EXIT)]


def _portfolio(path: Path) -> list[str]:
    return [str(_loaded(path)["trade_count"])]


def _stored_portfolio(storage: PostgresStorage) -> list[str]:
    return [str(portfolio["trade_count"]) for portfolio in storage.load("portfolio")]


def _ids(signals: list[dict[str, Any]]) -> list[str]:
    return sorted(signal["market_id"] for signal in signals)


def _measured(name: str, by_file: Read, by_database: Read, rounds: int) -> ReadTimes:
    took: dict[str, list[float]] = {"file": [], "database": []}
    told, held = by_file(), by_database()  # what is read first is read from a cold cache
    for _round in range(rounds):
        for side, read in (("file", by_file), ("database", by_database)):
            began = time.perf_counter()
            read()
            took[side].append((time.perf_counter() - began) * 1000)
    file_ms, database_ms = (statistics.median(took[side]) for side in ("file", "database"))
    same = set(held) <= set(told) and bool(held) == bool(told)
    return ReadTimes(name, len(told), round(file_ms, 3), round(database_ms, 3), round(file_ms / database_ms, 1), same)
