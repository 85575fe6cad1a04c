"""A database of the shape that freqtrade makes: its tables and types, filled with what its API tells of trades."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

# Names and types of freqtrade's own tables (persistence/trade_model.py); floats are floats there.
TRADES = """
CREATE TABLE trades (
    id INTEGER NOT NULL PRIMARY KEY, exchange VARCHAR(25) NOT NULL, pair VARCHAR(25) NOT NULL,
    base_currency VARCHAR(25), stake_currency VARCHAR(25), is_open BOOLEAN NOT NULL,
    fee_open FLOAT NOT NULL, fee_open_cost FLOAT, fee_open_currency VARCHAR(25),
    fee_close FLOAT NOT NULL, fee_close_cost FLOAT, fee_close_currency VARCHAR(25),
    open_rate FLOAT NOT NULL, open_rate_requested FLOAT, open_trade_value FLOAT, close_rate FLOAT,
    close_rate_requested FLOAT, realized_profit FLOAT, close_profit FLOAT, close_profit_abs FLOAT,
    stake_amount FLOAT NOT NULL, max_stake_amount FLOAT, amount FLOAT, amount_requested FLOAT,
    open_date DATETIME NOT NULL, close_date DATETIME, stop_loss FLOAT, stop_loss_pct FLOAT, initial_stop_loss FLOAT,
    initial_stop_loss_pct FLOAT, is_stop_loss_trailing BOOLEAN, max_rate FLOAT, min_rate FLOAT,
    exit_reason VARCHAR(255), exit_order_status VARCHAR(100), strategy VARCHAR(100), enter_tag VARCHAR(255),
    timeframe INTEGER, trading_mode VARCHAR(7), amount_precision FLOAT, price_precision FLOAT, precision_mode INTEGER,
    contract_size FLOAT, leverage FLOAT, is_short BOOLEAN NOT NULL, liquidation_price FLOAT,
    interest_rate FLOAT NOT NULL, funding_fees FLOAT, record_version INTEGER
)"""
ORDERS = """
CREATE TABLE orders (
    id INTEGER NOT NULL PRIMARY KEY, ft_trade_id INTEGER NOT NULL, ft_order_side VARCHAR(25) NOT NULL,
    ft_pair VARCHAR(25) NOT NULL, ft_is_open BOOLEAN NOT NULL, ft_amount FLOAT NOT NULL, ft_price FLOAT NOT NULL,
    ft_cancel_reason VARCHAR(255), order_id VARCHAR(255) NOT NULL, status VARCHAR(255), symbol VARCHAR(25),
    order_type VARCHAR(50), side VARCHAR(25), price FLOAT, average FLOAT, amount FLOAT, filled FLOAT, remaining FLOAT,
    cost FLOAT, stop_price FLOAT, order_date DATETIME, order_filled_date DATETIME, order_update_date DATETIME,
    funding_fee FLOAT, ft_fee_base FLOAT, ft_order_tag VARCHAR(100),
    CONSTRAINT _order_pair_order_id UNIQUE (ft_pair, order_id), FOREIGN KEY(ft_trade_id) REFERENCES trades (id)
)"""
# What the API calls otherwise than the table does.
_OF_TRADE = {"id": "trade_id", "stake_currency": "quote_currency", "initial_stop_loss": "initial_stop_loss_abs"}
_OF_TRADE |= {"stop_loss": "stop_loss_abs", "close_profit": "profit_ratio", "close_profit_abs": "profit_abs"}
_OF_ORDER = {"ft_pair": "pair", "ft_is_open": "is_open", "ft_amount": "amount", "ft_price": "price"}
_OF_ORDER |= {"side": "ft_order_side", "symbol": "pair"}


def write_database(path: Path, trades: Iterable[Mapping[str, Any]]) -> None:
    """Write the database that a bot would have whose API answers with `trades`."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(TRADES)
        database.execute(ORDERS)
        for trade in trades:
            _insert(database, "trades", trade, _OF_TRADE, {"trading_mode": "SPOT", "record_version": 2})
            for order in trade["orders"]:
                _insert(database, "orders", order, _OF_ORDER, {"ft_trade_id": trade["trade_id"]})


def _insert(
    database: sqlite3.Connection, table: str, told: Mapping[str, Any], names: Mapping[str, str], more: Mapping[str, Any]
) -> None:
    columns = [row[1:4] for row in database.execute(f"PRAGMA table_info({table})")]
    row = {name: _value(kind, told, name, names) for name, kind, _needed in columns} | dict(more)
    if table == "orders":
        row["id"] = None
    for name, _kind, needed in columns:
        if needed and row[name] is None and name != "id":
            row[name] = 0
    listed, places = ", ".join(row), ", ".join("?" * len(row))
    database.execute(f"INSERT INTO {table} ({listed}) VALUES ({places})", list(row.values()))


def _value(kind: str, told: Mapping[str, Any], name: str, names: Mapping[str, str]) -> Any:
    if kind == "DATETIME":
        at = told.get(name.replace("_date", "_timestamp"))
        # The table keeps microseconds and no time zone.
        moment = None if at is None else dt.datetime.fromtimestamp(at / 1000, dt.UTC) + dt.timedelta(microseconds=7)
        return moment and moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    return told.get(names.get(name, name))
