"""The trades that are written, as a strategy tells them and as a row, and the database they go to."""

from __future__ import annotations

import copy
import datetime as dt
import functools
import json
import random
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

import friren
from friren.persistence.facts import spec_of
from tests import postgres as harness
from trading_engine.models import Symbol, Trade
from trading_engine.symbols import symbol_id

__all__ = [
    "BEGIN",
    "COLUMNS",
    "SMALL",
    "TICKERS",
    "URL",
    "Book",
    "connect",
    "empty",
    "insert_sql",
    "json_columns",
    "ready_rows",
    "told_trades",
]

BEGIN = dt.datetime(2024, 1, 8, 14, 30, tzinfo=dt.UTC)
TICKERS = [f"SYM{number:03}" for number in range(500)]
REASONING = "20-day average crossed above the 50-day average with rising volume; the regime is bullish."
SHAP = {"rsi_14": 0.1234, "sma_20": -0.0456, "sma_50": 0.0789, "volume_ratio": 0.0321, "vix": -0.1502}
TABLES = ("trade", "tradesentiment", "tradestatusevent")
BOOK_TABLES = ("position", "positionfill", "ledgerentry", "accountstate")
URL = harness.database_url("test_main")
# The database, and its alias, that has fewer rows of the same kind.
SMALL = "test_small"


def told_trades(count: int, *, begin: int = 0, single_symbol: bool = False) -> Iterator[dict[str, Any]]:
    """Trades as the keywords of `log_trade`, each with an id of its own."""
    chance = random.Random(begin)
    for number in range(begin, begin + count):
        yield {
            "symbol": TICKERS[0] if single_symbol else chance.choice(TICKERS),
            "action": "buy" if number % 2 else "sell",
            "quantity": Decimal(chance.randint(1, 500)),
            "price": Decimal(chance.randint(1000, 90000)) / 100,
            "timestamp": BEGIN + dt.timedelta(seconds=number),
            "trade_id": uuid7(),
            "commission": Decimal(1),
            "strategy_used": f"strategy_{number % 20}",
            "model_id": "xgboost",
            "regime_at_entry": "BULL",
            "sentiment_score": 0.25,
            "confidence_score": 0.71,
            "reasoning": REASONING,
            "shap_values": SHAP,
        }


def connect(url: str = URL, **options: Any) -> psycopg.Connection[Any]:
    """A plain connection, for what Friren is measured against."""
    return psycopg.connect(url, autocommit=True, **options)


@functools.cache
def _fields() -> dict[str, Any]:
    return {field.column: field for field in spec_of(Trade).fields.values()}


COLUMNS = ["id", "digest", *_fields()]


def json_columns() -> set[str]:
    return {column for column, field in _fields().items() if field.is_json}


def insert_sql(mark: str = "%s") -> str:
    """An INSERT of a whole row; `mark` "$" gives numbered marks."""
    marks = [f"${n}" if mark == "$" else mark for n in range(1, len(COLUMNS) + 1)]
    return f"INSERT INTO trading_engine_trade ({', '.join(COLUMNS)}) VALUES ({', '.join(marks)})"


class Book:
    """An account with its symbols, known by number: what the others need to write the same rows."""

    def __init__(self, name: str) -> None:
        self.handle = friren.open_account(name, environment="BACKTEST", starting_cash=10**9)
        Symbol.objects.bulk_create([Symbol(ticker=ticker) for ticker in TICKERS], ignore_conflicts=True)
        self.symbols = dict(Symbol.objects.values_list("ticker", "id"))
        # As in a process that has traded them before: the first trade of a symbol costs one query more.
        for ticker in TICKERS:
            symbol_id([ticker, ""])

    def row(self, told: dict[str, Any]) -> dict[str, Any]:
        """The row of a trade by column; JSON as plain trees, and no digest worked out."""
        row = {column: copy.copy(field.default) for column, field in _fields().items()}
        row |= {name: told[name] for name in told.keys() & row.keys()}
        row |= {
            "id": UUID(int=told["trade_id"].int),
            "digest": bytes(16),
            "account_id": self.handle.id,
            "symbol_id": self.symbols[told["symbol"]],
            "executed_at": told["timestamp"],
            "sentiment_score": Decimal("0.25"),  # as the column has them: the others take no float here
            "confidence_score": Decimal("0.71"),
        }
        return row

    def values(self, told: dict[str, Any], wrap: Any = Jsonb) -> list[Any]:
        """The same in the order of COLUMNS, JSON wrapped."""
        row, trees = self.row(told), json_columns()
        return [wrap(row[name]) if name in trees and row[name] is not None else row[name] for name in COLUMNS]


def ready_rows(book: Book, name: str, told: Iterable[dict[str, Any]]) -> list[Any]:
    """What the method `name` is given: those that are told rows, and not trades, get them ready made."""
    if name.startswith("psycopg"):
        return [book.values(one) for one in told]
    if name.startswith("asyncpg"):
        return [book.values(one, json.dumps) for one in told]
    return list(told)


def empty(url: str = URL) -> None:
    """Take everything out of the tables of trades and books; accounts and symbols stay."""
    names = [f"trading_engine_{table}" for table in TABLES] + [f"portfolio_manager_{table}" for table in BOOK_TABLES]
    with connect(url) as admin:
        admin.execute("SET session_replication_role = replica")  # the triggers refuse it
        admin.execute(f"TRUNCATE {', '.join(names)} CASCADE")
