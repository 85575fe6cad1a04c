"""Eight writers at once: loggers, and sessions that hold their transactions open, commit late or roll back."""

from __future__ import annotations

import datetime as dt
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import psycopg
from django.db import connections

from friren.accounts import open_account
from trading_engine.services import TradeLogger

__all__ = ["eight_writers"]

MOMENT = dt.datetime(2024, 1, 8, 14, 30, tzinfo=dt.UTC)
LOGGERS = 3
SESSIONS = 5
COPIES = ("trading_engine_trade", "core_auditlog")


class _Writers:
    def __init__(self, url: str, seed: int, pause: float) -> None:
        self._url, self._seed, self._pause = url, seed, pause
        self._ended = threading.Event()
        self.errors: list[BaseException] = []
        self.written = 0

    def start(self) -> list[threading.Thread]:
        account = open_account("audited", starting_cash=Decimal(1000))
        tasks = [lambda number=number: self._log(account, number) for number in range(LOGGERS)]
        tasks += [lambda number=number: self._hold_open(number) for number in range(SESSIONS)]
        threads = [threading.Thread(target=self._guarded, args=(task,)) for task in tasks]
        for thread in threads:
            thread.start()
        return threads

    def end(self, threads: list[threading.Thread]) -> None:
        self._ended.set()
        for thread in threads:
            thread.join()

    def _guarded(self, task) -> None:
        try:
            task()
        except BaseException as exc:  # noqa: BLE001 - told by the thread that asked for the writers
            self.errors.append(exc)
        finally:
            connections.close_all()

    def _log(self, account, number: int) -> None:
        chance = random.Random(f"{self._seed} log {number}")
        with TradeLogger(account=account, mode=("direct", "journal")[number % 2]) as trades:
            while not self._ended.wait(chance.uniform(0, self._pause)):
                fills = [fill(chance) for _ in range(chance.choice((1, 1, 20)))]
                if len(fills) > 1:
                    trades.bulk_log(fills)
                else:
                    receipt = trades.log_trade(**fills[0])
                    if chance.random() < 0.5:
                        trades.update_trade_status(receipt.id, "settled")
                self.written += len(fills)

    def _hold_open(self, number: int) -> None:
        chance = random.Random(f"{self._seed} hold {number}")
        with psycopg.connect(self._url) as session:
            while not self._ended.wait(chance.uniform(0, self._pause)):
                table = chance.choice(COPIES)
                for _ in range(chance.randint(1, 4)):
                    session.execute(copy_of(session, table))
                    self._ended.wait(chance.uniform(0, self._pause / 4))
                (session.rollback if chance.random() < 0.3 else session.commit)()


def fill(chance: random.Random) -> dict[str, object]:
    return {
        "symbol": f"S{chance.randrange(20)}",
        "action": chance.choice(("buy", "sell")),
        "quantity": Decimal(chance.randint(1, 100)),
        "price": Decimal(chance.randint(1, 100_000)) / 100,
        "timestamp": MOMENT + dt.timedelta(microseconds=chance.randrange(10**12)),
        "shap_values": {"rsi": chance.random()},
        "reasoning": chance.choice(("", "tab\tnew line\nback\\slash", "Köln 牛")),
    }


def copy_of(session: psycopg.Connection, table: str) -> str:
    names = [
        column.name
        for column in session.execute(f"SELECT * FROM {table} LIMIT 0").description
        if column.name not in {"id", "recorded_seq", "created_at"}
    ]
    listed = ", ".join(f'"{name}"' for name in names)
    # A copy has no events.
    values = listed.replace('"status"', "'filled'")
    return f"INSERT INTO {table} (id, {listed}) SELECT gen_random_uuid(), {values} FROM {table} LIMIT 1"


@contextmanager
def eight_writers(url: str, *, seed: int, pause: float = 0.05) -> Iterator[_Writers]:
    """Let eight writers write until the block ends; what one of them runs into is raised there."""
    writers = _Writers(url, seed, pause)
    threads = writers.start()
    try:
        yield writers
    finally:
        writers.end(threads)
    if writers.errors:
        raise writers.errors[0]
