"""Reads of a large table and of a small one: newest trades, pages far back, what is held; and of the file before."""

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
from portfolio_manager.data_logger import PortfolioTracker
from tests.benchmarks.rounds import Budget, Run, Section, Sizes, compare, each
from tests.benchmarks.stocks import Stock, raw_connection, stocks
from tests.benchmarks.workload import COLUMNS, TICKERS, Book, empty, told_trades
from trading_engine.models import Trade
from trading_engine.services import TradeLogger

__all__ = ["files", "growth", "history", "latest", "pages", "positions"]

PAGE = 100


def history(sizes: Sizes) -> Section:
    """The newest 100 trades of a symbol."""
    stock, _small = stocks(sizes)
    connection, book = raw_connection(stock), stock.book
    columns = ", ".join(f"t.{name}" for name in COLUMNS if name != "digest")
    raw = (
        f"SELECT {columns}, t.created_at, s.ticker FROM trading_engine_trade t JOIN trading_engine_symbol s"
        " ON s.id = t.symbol_id WHERE t.account_id = %s AND t.symbol_id = %s"
        f" ORDER BY t.executed_at DESC, t.id DESC LIMIT {PAGE}"
    )

    def ordered(symbol: str) -> Any:
        rows = Trade.objects.filter(account=book.handle.id, symbol__ticker=symbol, symbol__venue="")
        return rows.order_by("-executed_at", "-id")[:PAGE]

    section = Section("history", f"Newest {PAGE} trades of a symbol, {stock.rows:,} rows stored", "psycopg tuples")
    return compare(
        section,
        {
            section.reference: each(
                lambda symbol: connection.execute(raw, [book.handle.id, book.symbols[symbol]]).fetchall()
            ),
            "Friren get_trade_history": _history_of(stock),
            "Django values()": each(lambda symbol: list(ordered(symbol).values())),
            "Django models": each(lambda symbol: list(ordered(symbol))),
        },
        rounds=sizes.rounds,
        records=lambda name: random.choices(
            TICKERS, k=sizes.slow_read_calls if name.startswith("Django") else sizes.read_calls
        ),
        budgets={"Friren get_trade_history": Budget(1.5)},
    )


def _history_of(stock: Stock) -> Run:
    logger = TradeLogger(stock.book.handle, using=stock.using)
    return each(lambda symbol: _full(partial(logger.get_trade_history, symbol, limit=PAGE)))


def growth(sizes: Sizes) -> Section:
    """The same read of a large table and of a small one."""
    large, small = stocks(sizes)
    section = _two_stocks("growth", f"Newest {PAGE} trades of a symbol", "get_trade_history", sizes)
    return compare(
        section,
        {section.reference: _history_of(small), _named(large, "get_trade_history"): _history_of(large)},
        rounds=sizes.rounds,
        records=lambda _name: random.choices(TICKERS, k=sizes.read_calls),
        budgets={_named(large, "get_trade_history"): Budget(1.2)},
    )


def latest(sizes: Sizes) -> Section:
    """The newest trade of every symbol."""
    large, small = stocks(sizes)
    section = _two_stocks("latest", f"The newest trade of {len(TICKERS)} symbols", "latest_trades", sizes)
    return compare(
        section,
        {
            section.reference: _latest_of(small),
            _named(large, "latest_trades"): _latest_of(large),
            # Of the small stock alone: of the large one it takes the better part of a minute.
            f"Django distinct('symbol'), {small.rows:,} rows": _distinct_of(small),
        },
        rounds=sizes.rounds,
        records=lambda name: range(1 if name.startswith("Django") else max(2, sizes.read_calls // 4)),
        budgets={_named(large, "latest_trades"): Budget(1.5)},
    )


def _latest_of(stock: Stock) -> Run:
    logger = TradeLogger(stock.book.handle, using=stock.using)
    return each(lambda _n: _full(partial(logger.latest_trades, TICKERS)))


def _distinct_of(stock: Stock) -> Run:
    rows = Trade.objects.using(stock.using).filter(account=stock.book.handle.id)
    return each(lambda _n: list(rows.order_by("symbol", "-executed_at", "-id").distinct("symbol").values()))


def positions(sizes: Sizes) -> Section:
    """Everything that is held, one position per symbol, and whether all is booked."""
    large, small = stocks(sizes)
    section = _two_stocks("positions", f"{len(TICKERS)} open positions", "get_current_positions", sizes)
    return compare(
        section,
        {section.reference: _positions_of(small), _named(large, "get_current_positions"): _positions_of(large)},
        rounds=sizes.rounds,
        records=lambda _name: range(max(2, sizes.read_calls // 4)),
        budgets={_named(large, "get_current_positions"): Budget(1.5)},
    )


def _positions_of(stock: Stock) -> Run:
    tracker = PortfolioTracker(stock.book.handle, using=stock.using)
    return each(lambda _n: _full(tracker.get_current_positions, rows=len(TICKERS)))


def _two_stocks(name: str, title: str, method: str, sizes: Sizes) -> Section:
    large, small = stocks(sizes)
    return Section(name, f"{title}, {large.rows:,} rows against {small.rows:,}", _named(small, method))


def _named(stock: Stock, method: str) -> str:
    return f"Friren {method}, {stock.rows:,} rows"


def pages(sizes: Sizes) -> Section:
    """A page of the whole history, at the front and behind nine tenths of it."""
    stock, _small = stocks(sizes)
    logger = TradeLogger(stock.book.handle)
    offset = stock.rows * 9 // 10
    newest = Trade.objects.filter(account=stock.book.handle.id).order_by("-executed_at", "-id")
    deep = newest.values_list("executed_at", "id")[offset]
    section = Section("pages", f"A page of {PAGE} at a depth, {stock.rows:,} rows stored", "Friren, first page")
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
        records=lambda name: range(1 if "OFFSET" in name else max(2, sizes.read_calls)),
        budgets={"Friren, behind 90 % of the rows": Budget(1.5)},
    )


def _full(read: Callable[[], Rows[Any]], *, rows: int | None = None) -> None:
    """Read a page. One that a busy machine did not get in time (as_of None) is asked for again, and costs its time."""
    for _attempt in range(100):
        page = read()
        if page.as_of is not None:
            break
        time.sleep(0.05)
    assert page, "an empty page is quick"
    assert rows in {None, len(page)}, f"{len(page)} rows"


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
