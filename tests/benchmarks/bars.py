"""Bars in a table that is partitioned by month, against the same rows in one plain table with the same keys."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from friren.core.partitions import ensure_months
from friren.persistence.digest import DIGEST_SIZE
from tests.benchmarks.rounds import Budget, Run, Section, Sizes, compare, each, whole
from tests.benchmarks.workload import BEGIN, TICKERS, Book, connect
from trading_engine.data.bars import Bar
from trading_engine.models import Price
from trading_engine.services import PriceRecorder
from trading_engine.services.price_loading import price_fact

__all__ = ["bars_load", "bars_read"]

SYMBOLS = TICKERS[:100]
TABLE, PLAIN = "trading_engine_price", "bench_plain_price"
COLUMNS = "id, digest, symbol_id, timestamp, timeframe, open, high, low, close, volume, source, is_suspect"
HOUR = dt.timedelta(hours=1)
FIRST = BEGIN.replace(day=1, hour=0, minute=0)


def bars_load(sizes: Sizes) -> Section:
    """Bars by the hundred thousand, symbol after symbol, as files have them."""
    book = Book("bars")
    _make_tables(sizes.bar_stock_rows)
    bars = list(_bars(sizes.bar_rows))
    lines = "".join(_line(bar, book.symbols[bar.symbol]) for bar in bars).encode()
    recorder = PriceRecorder()

    def record(told: Sequence[Bar]) -> None:
        found = recorder.record_bars(told).stored
        assert found == len(told), f"{found} of {len(told)}"

    section = Section("bars_load", "Bars by month, per bar", "psycopg COPY, one plain table")
    return compare(
        section,
        {
            section.reference: _copy(PLAIN, lines),
            "psycopg COPY, partitioned": _copy(TABLE, lines),
            "Friren record_bars: checked, idempotent": whole(record),
        },
        rounds=sizes.rounds,
        records=lambda _name: bars,
        before=_empty,
        budgets={"psycopg COPY, partitioned": Budget(1 / 0.9)},
    )


def bars_read(sizes: Sizes) -> Section:
    """A month of one symbol."""
    book = Book("bars")
    _make_tables(sizes.bar_stock_rows)
    _fill(sizes.bar_stock_rows)
    hours = sizes.bar_stock_rows // len(SYMBOLS)
    months = sorted({month for month, _next in _months(hours)})
    recorder = PriceRecorder()

    def friren(asked: tuple[str, dt.datetime]) -> None:
        found = recorder.bars(asked[0], start=asked[1], end=_after(asked[1]), timeframe="1h", limit=1000)
        assert found, "a month without bars"

    section = Section("bars_read", f"A month of one symbol, {sizes.bar_stock_rows:,} bars", "psycopg tuples, plain")
    return compare(
        section,
        {
            section.reference: each(_month_of(PLAIN, book)),
            "psycopg tuples, partitioned": each(_month_of(TABLE, book)),
            "Friren bars": each(friren),
        },
        rounds=sizes.rounds,
        records=lambda _name: [(random.choice(SYMBOLS), random.choice(months)) for _ in range(sizes.read_calls)],
        budgets={"psycopg tuples, partitioned": Budget(1.2)},
    )


def _make_tables(rows: int) -> None:
    ensure_months(Price._meta.db_table, [month.date() for month, _next in _months(rows // len(SYMBOLS))])
    with connect() as admin:
        admin.execute(f"DROP TABLE IF EXISTS {PLAIN}")
        admin.execute(f"CREATE TABLE {PLAIN} (LIKE {TABLE} INCLUDING ALL)")
        admin.execute(f"ALTER TABLE {PLAIN} ADD FOREIGN KEY (symbol_id) REFERENCES trading_engine_symbol")
    _empty()


def _empty() -> None:
    with connect() as admin:
        admin.execute(f"TRUNCATE {TABLE}, {PLAIN}")


def _months(hours: int) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    month = FIRST
    while month < FIRST + hours * HOUR:
        yield month, _after(month)
        month = _after(month)


def _after(month: dt.datetime) -> dt.datetime:
    return (month + dt.timedelta(days=32)).replace(day=1)


def _bars(count: int) -> Iterator[Bar]:
    chance = random.Random(count)
    hours = max(1, count // len(SYMBOLS))
    for number in range(count):
        symbol, hour = divmod(number, hours)
        price = Decimal(chance.randint(1000, 90000)) / 100
        yield Bar(
            symbol=SYMBOLS[symbol % len(SYMBOLS)], timestamp=FIRST + hour * HOUR, timeframe="1h", open=price,
            high=price + 2, low=price - 2, close=price + 1, volume=Decimal(chance.randint(1, 10**6)), source="bench",
        )  # fmt: skip


def _line(bar: Bar, symbol: int) -> str:
    fact = price_fact(bar)
    values = (
        fact.id, "\\\\x" + fact.digest.hex(), symbol, bar.timestamp.isoformat(), bar.timeframe,
        bar.open, bar.high, bar.low, bar.close, bar.volume, bar.source, "f",
    )  # fmt: skip
    return "\t".join(map(str, values)) + "\n"


def _copy(table: str, lines: bytes) -> Run:
    connection = connect()

    def work(_told: Sequence[Bar]) -> None:
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({COLUMNS}) FROM STDIN") as copy:
            copy.write(lines)

    return whole(work)


def _fill(rows: int) -> None:
    """Put the same bars into both tables, hour after hour, as a feed brings them."""
    with connect() as admin:
        tickers = "(SELECT array_agg(id ORDER BY id) AS ids FROM trading_engine_symbol WHERE ticker = ANY(%s)) s"
        admin.execute(
            f"INSERT INTO {TABLE} ({COLUMNS}) SELECT gen_random_uuid(), decode(md5(n::text), 'hex'),"
            f" s.ids[1 + n %% {len(SYMBOLS)}], %s + (n / {len(SYMBOLS)}) * interval '1 hour', '1h',"
            " 100, 102, 98, 101, n, 'bench', false"
            f" FROM {tickers}, generate_series(0, %s) n",
            [FIRST, SYMBOLS, rows - 1],
        )
        admin.execute(f"INSERT INTO {PLAIN} SELECT * FROM {TABLE}")
        admin.execute(f"VACUUM (FREEZE, ANALYZE) {TABLE}, {PLAIN}")
        assert admin.execute("SELECT octet_length(digest) FROM " + PLAIN + " LIMIT 1").fetchone() == (DIGEST_SIZE,)


def _month_of(table: str, book: Book) -> Any:
    connection = connect(prepare_threshold=0)
    columns = "id, timestamp, timeframe, open, high, low, close, volume, adjusted_close, source, is_suspect, created_at"
    sql = (
        f"SELECT {columns} FROM {table} WHERE symbol_id = %s AND timeframe = '1h' AND timestamp >= %s"
        " AND timestamp < %s ORDER BY timestamp DESC, id DESC LIMIT 1001"
    )

    def read(asked: tuple[str, dt.datetime]) -> None:
        found = connection.execute(sql, [book.symbols[asked[0]], asked[1], _after(asked[1])]).fetchall()
        assert found, "a month without bars"

    return read
