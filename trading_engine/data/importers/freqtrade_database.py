"""freqtrade's SQLite database, read only, trade by trade, whichever of its versions wrote it."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from trading_engine.data.importers.freqtrade_trips import Origin, trip_told
from trading_engine.data.importers.parsed import Issue, UnreadableFileError
from trading_engine.data.importers.records import Entry, Fields, SourceFile, Told, entry_of

__all__ = ["database_entries", "is_database", "stake_currency_of"]

_MAGIC: Final = b"SQLite format 3\0"
# What the table calls otherwise than the API does.
_NAMES: Final = {
    "id": "trade_id",
    "stake_currency": "quote_currency",
    "initial_stop_loss": "initial_stop_loss_abs",
    "close_profit": "profit_ratio",
    "sell_reason": "exit_reason",
    "buy_tag": "enter_tag",
}


def is_database(path: Path) -> bool:
    """Return whether a file is one of SQLite."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def stake_currency_of(path: Path) -> str:
    """
    Return the currency that a bot's trades are paid in.

    Raises:
        UnreadableFileError: it is no database of freqtrade.
    """
    try:
        with closing(_connect(path)) as connection:
            row = connection.execute("SELECT * FROM trades ORDER BY id LIMIT 1").fetchone()
            connection.execute("SELECT ft_trade_id, order_id FROM orders LIMIT 1").fetchone()
    except sqlite3.Error as exc:
        raise UnreadableFileError(path, f"no database of freqtrade ({exc})") from exc
    values = _named(row) if row is not None else {}
    pair = str(values.get("pair") or "")
    return str(values.get("quote_currency") or pair.partition("/")[2].partition(":")[0] or "USDT")


def database_entries(file: SourceFile) -> Iterator[Entry | Issue]:
    """Yield the trades of a database with their orders. Errors as for `stake_currency_of`."""
    try:
        with closing(_connect(file.path)) as connection:
            trades = connection.execute("SELECT * FROM trades ORDER BY id")
            listed = connection.execute("SELECT * FROM orders ORDER BY ft_trade_id, id")
            # Both in the order of the trades' ids: read beside one another, never a table at once.
            grouped = itertools.groupby(listed, key=lambda row: row["ft_trade_id"] or 0)
            waiting = next(grouped, None)
            for row in trades:
                while waiting is not None and waiting[0] < row["id"]:
                    waiting = next(grouped, None)
                orders: list[dict[str, Any]] = []
                if waiting is not None and waiting[0] == row["id"]:
                    orders = [_named(order) for order in waiting[1]]
                    waiting = next(grouped, None)
                tell = partial(_tell, orders=orders)
                yield from entry_of(_named(row), row["id"], f"trades.id={row['id']}", tell)
    except sqlite3.Error as exc:
        raise UnreadableFileError(file.path, f"the database cannot be read on ({exc})") from exc


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    return connection


def _named(row: sqlite3.Row) -> dict[str, Any]:
    """
    Return a row by the names of the API, numbers as texts.

    The database keeps binary floats. Their shortest text is what the API would have written: both tell the same fact.
    """
    found: dict[str, Any] = {}
    for name in row.keys():  # noqa: SIM118 - a Row is no mapping
        value = row[name]
        named = _NAMES.get(name, name)
        # Of an old and a new name of one thing the one that has something to say.
        if found.get(named) is None:
            found[named] = repr(value) if isinstance(value, float) else value
    return found


def _tell(trade: Fields, *, orders: list[dict[str, Any]]) -> list[Told]:
    listed = [Fields(order, trade.line, trade.path, floats=True) for order in orders]
    venue = trade.text("exchange") or "freqtrade"
    origin = Origin(venue=venue, key=f"trade {trade.line}", strategy="", has_orders=bool(listed))
    told = trip_told(trade, listed, origin)
    trade.notes += [note for order in listed for note in order.notes]
    return told
