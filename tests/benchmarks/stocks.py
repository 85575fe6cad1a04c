"""
Two databases with the same kind of trades, a few and many: what a read costs must not grow with the table.

The server makes the rows by itself, without indexes, which are built afterwards: ten million take minutes, not an hour.
"""

from __future__ import annotations

import functools
import itertools
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.db import connections

from portfolio_manager.models import AccountState
from tests import postgres as harness
from tests.benchmarks.rounds import Sizes
from tests.benchmarks.workload import BEGIN, COLUMNS, SMALL, TICKERS, URL, Book, connect, empty, told_trades
from trading_engine.models import Trade

__all__ = ["Stock", "check_room", "raw_connection", "stocks"]

# Rows that one statement makes, and statements at a time: as many as a small machine has processors.
CHUNK_ROWS = 250_000
FILLERS = 2
# What ten million trades with their indexes and the log of their making take on the disk, at most.
BYTES_PER_ROW = 1_800
# Of trades that are part of a closed position; each symbol has an open one too.
TRADES_PER_POSITION = 10

# Ids as the caller's side makes them (UUIDv7): the time in milliseconds, and then noise.
_ID = (
    "(lpad(to_hex({begin} + n * 5000::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)"
    " || 'a' || substr(md5(n::text), 4, 15))::uuid"
)
_POSITIONS = """
    INSERT INTO portfolio_manager_position (id, account_id, instrument_type, symbol_id, strategy_used, side, slot,
        trade_id, quantity, total_cost, opened_quantity, opened_cost, closed_quantity, closed_proceeds, realized_pnl,
        commission, opened_at, closed_at, exit_reason, regime_at_entry, status, created_at, updated_at)
    SELECT id, account_id, instrument_type, symbol_id, strategy_used, 'LONG', '', id,
        CASE WHEN is_open THEN quantity ELSE 0 END, CASE WHEN is_open THEN quantity * price ELSE 0 END,
        quantity, quantity * price, CASE WHEN is_open THEN 0 ELSE quantity END,
        CASE WHEN is_open THEN 0 ELSE quantity * price END, 0, 1, executed_at,
        CASE WHEN is_open THEN NULL ELSE executed_at + interval '1 day' END, '', regime_at_entry,
        CASE WHEN is_open THEN 'open' ELSE 'closed' END, now(), now()
    FROM (SELECT *, row_number() OVER (ORDER BY executed_at DESC) <= {symbols} AS is_open,
                 row_number() OVER (ORDER BY executed_at DESC) AS place
          FROM trading_engine_trade) t
    WHERE is_open OR place % {share} = 0
"""


@dataclass(frozen=True)
class Stock:
    """A database with trades: its alias in Django, its address and how many."""

    using: str
    url: str
    rows: int
    book: Book


def check_room(sizes: Sizes) -> None:
    """Raise SystemExit when the disk has no room for both."""
    needed = (sizes.large_rows + sizes.read_rows) * BYTES_PER_ROW
    if shutil.disk_usage(tempfile.gettempdir()).free < needed:
        raise SystemExit(f"{needed / 1e9:.0f} GB are wanted where temporary files lie ({tempfile.gettempdir()})")


@functools.cache
def stocks(sizes: Sizes) -> tuple[Stock, Stock]:
    """Return the large stock, which is the database that everything else is measured on, and the small one; filled."""
    book = Book("reads")  # opened before the small database was copied: it is in both
    connections.settings[SMALL] = {**connections.settings["default"], "NAME": SMALL}
    large = Stock("default", URL, sizes.large_rows, book)
    small = Stock(SMALL, harness.database_url(SMALL), sizes.read_rows, book)
    for stock in (large, small):
        _fill(stock)
    return large, small


def _fill(stock: Stock) -> None:
    """Put trades into the table: one whole row, told apart by id, symbol, time, price and strategy."""
    empty(stock.url)
    with connect(stock.url) as admin:
        admin.execute("SET maintenance_work_mem = '512MB'")
        indexes = admin.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indrelid = 'trading_engine_trade'::regclass"
            " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"
        ).fetchall()
        for name, _definition in indexes:
            admin.execute(f"DROP INDEX {name}")
        _make_rows(stock)
        for _name, definition in indexes:
            admin.execute(definition)
        admin.execute("VACUUM (FREEZE, ANALYZE) trading_engine_trade")
        admin.execute("SET session_replication_role = replica")
        admin.execute(_POSITIONS.format(symbols=len(TICKERS), share=TRADES_PER_POSITION))
        admin.execute("VACUUM (FREEZE, ANALYZE) portfolio_manager_position")
        admin.execute("ANALYZE trading_engine_symbol")
        admin.execute("CHECKPOINT")
    # The books hold all of it: positions are read, not made.
    seen = Trade.objects.using(stock.using).order_by("-recorded_seq").values_list("recorded_seq", flat=True)[0]
    AccountState.objects.using(stock.using).create(account_id=stock.book.handle.id, booked_seq=seen)


def _make_rows(stock: Stock) -> None:
    told = next(told_trades(1))
    varied = {
        "id": _ID.format(begin=round(BEGIN.timestamp() * 1000)),
        "digest": "decode(md5(n::text), 'hex')",
        "symbol_id": f"symbols.ids[1 + n % {len(TICKERS)}]",
        "executed_at": f"'{BEGIN.isoformat()}'::timestamptz + n * interval '5 seconds'",
        "price": "100 + (n * 7919 % 100000)::numeric / 100",
        "strategy_used": "'strategy_' || n % 20",
    }
    chosen = ", ".join(varied.get(name, f"row.{name}") for name in COLUMNS)
    statement = (
        f"INSERT INTO trading_engine_trade ({', '.join(COLUMNS)})"
        f" SELECT {chosen} FROM (TABLE bench_row) row,"
        " (SELECT array_agg(id ORDER BY id) AS ids FROM trading_engine_symbol) symbols,"
        " generate_series({first}::bigint, {last}::bigint) n"
    )
    marks = ", ".join(["%s"] * len(COLUMNS))

    def make(bounds: tuple[int, int]) -> None:
        with connect(stock.url) as own:
            own.execute("SET session_replication_role = replica")  # what the triggers look up is known
            own.execute("SET synchronous_commit = off")
            own.execute(statement.format(first=bounds[0], last=bounds[1]))

    with connect(stock.url) as admin:
        admin.execute("DROP TABLE IF EXISTS bench_row")
        admin.execute("CREATE TABLE bench_row (LIKE trading_engine_trade INCLUDING DEFAULTS)")
        admin.execute(f"INSERT INTO bench_row ({', '.join(COLUMNS)}) VALUES ({marks})", stock.book.values(told))
        begins = [*range(1, stock.rows + 1, CHUNK_ROWS), stock.rows + 1]
        with ThreadPoolExecutor(FILLERS) as fillers:
            for _ in fillers.map(make, ((begin, end - 1) for begin, end in itertools.pairwise(begins))):
                pass
        admin.execute("DROP TABLE bench_row")


def raw_connection(stock: Stock) -> Any:
    """A plain connection that prepares what it is asked."""
    return connect(stock.url, prepare_threshold=0)
