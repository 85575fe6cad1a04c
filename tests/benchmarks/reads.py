"""Reads at a million rows: a page of history, at the front and far back, and the file it replaces."""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from friren.persistence.receipts import Rows
from tests.benchmarks.rounds import Budget, Section, Sizes, compare, each
from tests.benchmarks.workload import BEGIN, COLUMNS, TICKERS, Book, connect, empty, told_trades
from trading_engine.models import Trade
from trading_engine.services import TradeLogger

__all__ = ["files", "fill", "history", "pages"]

PAGE = 100


def fill(book: Book, rows: int) -> None:
    """Put `rows` trades into the table: one whole row, told apart by id, symbol, time, price and strategy."""
    empty()
    told = next(told_trades(1))
    varied = {
        "id": "gen_random_uuid()",
        "digest": "uuid_send(gen_random_uuid())",
        "symbol_id": f"symbols.ids[1 + n % {len(TICKERS)}]",
        "executed_at": f"'{BEGIN.isoformat()}'::timestamptz + n * interval '10 seconds'",
        "price": "100 + (random() * 1000)::numeric(10, 2)",
        "strategy_used": "'strategy_' || n % 20",
    }
    chosen = ", ".join(varied.get(name, f"row.{name}") for name in COLUMNS)
    with connect() as admin:
        marks = ", ".join(["%s"] * len(COLUMNS))
        admin.execute(f"INSERT INTO trading_engine_trade ({', '.join(COLUMNS)}) VALUES ({marks})", book.values(told))
        admin.execute("SET session_replication_role = replica")
        admin.execute(
            f"INSERT INTO trading_engine_trade ({', '.join(COLUMNS)})"
            f" SELECT {chosen} FROM trading_engine_trade row,"
            " (SELECT array_agg(id ORDER BY id) AS ids FROM trading_engine_symbol) symbols,"
            f" generate_series(1, {rows - 1}) n"
        )
        admin.execute("VACUUM ANALYZE trading_engine_trade")


def history(sizes: Sizes) -> Section:
    """The newest 100 trades of a symbol."""
    book = Book("reads")
    fill(book, sizes.read_rows)
    logger = TradeLogger(book.handle)
    connection = connect(prepare_threshold=0)
    columns = ", ".join(f"t.{name}" for name in COLUMNS if name != "digest")
    raw = (
        f"SELECT {columns}, t.created_at, s.ticker FROM trading_engine_trade t JOIN trading_engine_symbol s"
        " ON s.id = t.symbol_id WHERE t.account_id = %s AND t.symbol_id = %s"
        f" ORDER BY t.executed_at DESC, t.id DESC LIMIT {PAGE}"
    )

    def ordered(symbol: str) -> Any:
        rows = Trade.objects.filter(account=book.handle.id, symbol__ticker=symbol, symbol__venue="")
        return rows.order_by("-executed_at", "-id")[:PAGE]

    section = Section("history", f"Newest {PAGE} trades of a symbol, {sizes.read_rows:,} rows stored", "psycopg tuples")
    return compare(
        section,
        {
            section.reference: each(
                lambda symbol: connection.execute(raw, [book.handle.id, book.symbols[symbol]]).fetchall()
            ),
            "Friren get_trade_history": each(
                lambda symbol: _full(partial(logger.get_trade_history, symbol, limit=PAGE))
            ),
            "Django values()": each(lambda symbol: list(ordered(symbol).values())),
            "Django models": each(lambda symbol: list(ordered(symbol))),
        },
        rounds=sizes.rounds,
        records=lambda _name: random.choices(TICKERS, k=sizes.read_calls),
        budgets={"Friren get_trade_history": Budget(1.5)},
    )


def pages(sizes: Sizes) -> Section:
    """A page of the whole history, at the front and behind nine tenths of it; the rows of `history` are there."""
    book = Book("reads")
    logger = TradeLogger(book.handle)
    deep = _position(sizes.read_rows)
    section = Section("pages", f"A page of {PAGE} at a depth, {sizes.read_rows:,} rows stored", "Friren, first page")
    offset = sizes.read_rows * 9 // 10
    newest = Trade.objects.filter(account=book.handle.id).order_by("-executed_at", "-id")
    return compare(
        section,
        {
            section.reference: each(lambda _n: _full(partial(logger.get_trade_history, limit=PAGE))),
            "Friren, behind 90 % of the rows": each(
                lambda _n: _full(partial(logger.get_trade_history, limit=PAGE, after=deep))
            ),
            "Django values(), behind 90 %, by OFFSET": each(lambda _n: list(newest.values()[offset : offset + PAGE])),
        },
        rounds=sizes.rounds,
        records=lambda name: range(max(2, sizes.read_calls // (40 if "OFFSET" in name else 1))),
        budgets={"Friren, behind 90 % of the rows": Budget(1.5)},
    )


def _position(rows: int) -> Any:
    newest = Trade.objects.order_by("-executed_at", "-id").values_list("executed_at", "id")
    return newest[rows * 9 // 10]


def _full(read: Callable[[], Rows[Any]]) -> None:
    """Read a page. One that a busy machine did not get in time (as_of None) is asked for again, and costs its time."""
    for _attempt in range(100):
        page = read()
        if page.as_of is not None:
            break
        time.sleep(0.05)
    assert page, "an empty page is quick"


def files(sizes: Sizes) -> Section:
    """The newest 100 trades of a symbol out of the JSON file that is replaced, against the database."""
    book = Book("files")
    logger = TradeLogger(book.handle)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trades.json"
        told = [{key: str(value) for key, value in one.items()} for one in told_trades(sizes.file_trades)]
        symbols = sorted({one["symbol"] for one in told})
        path.write_text(json.dumps(told))
        empty()
        assert logger.bulk_log(told_trades(sizes.file_trades)).stored == sizes.file_trades
        section = Section("files", f"Newest {PAGE} of a symbol among {sizes.file_trades:,}", "json.load and filter")
        compare(
            section,
            {
                section.reference: each(_from_file(path)),
                "Friren get_trade_history": each(
                    lambda symbol: _full(partial(logger.get_trade_history, symbol, limit=PAGE))
                ),
            },
            rounds=sizes.rounds,
            records=lambda name: random.choices(symbols, k=1 if "json" in name else sizes.read_calls),
            budgets={"Friren get_trade_history": Budget(1 / 100)},
        )
    return section


def _from_file(path: Path) -> Callable[[str], Any]:
    def read(symbol: str) -> list[Any]:
        with path.open() as file:
            found = [one for one in json.load(file) if one["symbol"] == symbol]
        return sorted(found, key=lambda one: one["timestamp"], reverse=True)[:PAGE]

    return read
