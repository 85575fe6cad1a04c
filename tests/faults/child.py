"""What a forked child does: it logs as a bot would and writes down what it was told, until it ends or is killed."""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.faults import failpoints
from tests.faults.orders import Orders
from tests.faults.script import ACCOUNT, ROUND, VENUE, details_of, key_of, step_of

__all__ = ["prepare", "run"]


def prepare() -> None:
    """Import and open what every child needs, and keep no thread and no connection of it."""
    import friren
    from friren.persistence import engines
    from tests.faults import tasks  # noqa: F401 - and with it all that the children use

    friren.open_account(ACCOUNT, starting_cash=Decimal(1_000_000))
    engines.close_all()
    from django.db import connections

    connections.close_all()


def run(orders: Orders) -> None:
    """Carry out what was ordered, in a forked child, and never return."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        faulthandler.register(signal.SIGUSR1)  # to ask one that hangs where it does
        os.dup2(2, 1)  # the parent's standard output is for its own words
        change_settings(orders.settings)
        change_server_options(orders.server_options)
        if orders.variant:
            importlib.import_module("tests.faults.variants").apply(orders.variant)
        if orders.failpoint:
            failpoints.arm(orders.failpoint, orders.hit)
        from tests.faults import tasks

        answer = getattr(tasks, orders.task)(orders)
        if answer is not None:
            Path(orders.log).write_text(json.dumps(answer, default=str))
        status = 0
    except BaseException:  # noqa: BLE001 - it must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


# Where a bound was taken over as the default of a parameter.
_DEFAULTS = {
    "DRAIN_BATCH_ROWS": ("friren.persistence.drain", "Drainer", "batch_rows"),
    "JOURNAL_SEGMENT_BYTES": ("friren.persistence.journal.journal", "Journal", "segment_bytes"),
    "BUFFER_RECORDS_MAX": ("friren.persistence.buffer", "Buffer", "records_max"),
}


def change_settings(changes: dict[str, Any]) -> None:
    """Give bounds of the write path other values."""
    from friren.persistence import settings

    for name, value in changes.items():
        getattr(settings, name)  # there must be one
        setattr(settings, name, value)
        if name in _DEFAULTS:
            module, owner, parameter = _DEFAULTS[name]
            getattr(importlib.import_module(module), owner).__init__.__kwdefaults__[parameter] = value


def change_server_options(more: str) -> None:
    """Let this process's connections begin with more options of the server."""
    from django.db import connections

    options = connections.settings["default"]["OPTIONS"]
    options["options"] = f"{options['options']} {more}".strip()


class Diary:
    """
    What a child was told: a line before each call and one after it, each written before anything else happens.

    Attributes:
        seconds: what each call took, with its key and when it began (time.monotonic()).
        interrupted: whether what a call raises may come of one that struck it from outside: it is unknown then.
    """

    def __init__(self, path: str) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.seconds: list[tuple[float, str, float]] = []
        self.interrupted: Callable[[], bool] = lambda: False

    def begins(self, key: str) -> None:
        os.write(self._handle, f"A {key}\n".encode())

    def ends(self, key: str, receipt: Any) -> None:
        os.write(self._handle, f"K {key} {receipt.outcome.value} {time.monotonic():.4f}\n".encode())

    def call(self, key: str, method: Callable[..., Any], *arguments: Any, **told: Any) -> Any:
        self.begins(key)
        began = time.monotonic()
        try:
            receipt = method(*arguments, **told)
        except Exception as exc:  # noqa: BLE001 - none may leave a logger: it is written down
            if self.interrupted():
                return None
            text = " ".join(f"{type(exc).__name__}: {exc}".split())[:300]
            os.write(self._handle, f"E {key} {text}\n".encode())
            return None
        finally:
            self.seconds.append((time.monotonic() - began, key, began))
        self.ends(key, receipt)
        return receipt


class Bot:
    """A logger of all that tests.faults.script knows, for one thread."""

    def __init__(self, diary: Diary, *, cycle: int, thread: int, mode: str, durability: str | None = None) -> None:
        from portfolio_manager.data_logger import PortfolioTracker
        from trading_engine.services import SignalLogger, TradeLogger

        self._diary, self._cycle, self._thread = diary, cycle, thread
        modes = ("direct", "journal") if mode == "mixed" else (mode, mode)
        self._trades = [TradeLogger(account=ACCOUNT, mode=one, durability=durability) for one in modes]
        self._signals = SignalLogger(account=ACCOUNT, mode=modes[0])
        self._books = PortfolioTracker(account=ACCOUNT, mode=modes[0])
        self._order: Any = None

    def work(self, count: int, *, only: int | None = None, pace: float = 0.0) -> None:
        """Make `count` calls: rounds, or the step number `only` of each; one every `pace` seconds at most."""
        began = time.monotonic()
        for number in range(count):
            index = number if only is None else number * len(ROUND) + only
            self.step(key_of(self._cycle, self._thread, index))
            if pace:
                time.sleep(max(0.0, began + (number + 1) * pace - time.monotonic()))

    def step(self, key: str) -> None:
        step, told = step_of(key), details_of(key)
        index = int(key.rpartition(".")[2])
        trades = self._trades[(index // len(ROUND) + index) % 2]
        call = self._diary.call
        if step == "order":
            intent = {name: told[name] for name in ("symbol", "action", "quantity", "timestamp")}
            self._order = call(key, trades.log_order, order_id=key, venue=VENUE, **intent)
        elif step == "signal":
            call(
                key, self._signals.log_signal, signal_type="BUY", symbol=told["symbol"], timestamp=told["timestamp"],
                strategy_name=VENUE, reasoning=key,
            )  # fmt: skip
        elif step == "booked":
            call(key, self._books.record_trade, trade_id=key, venue=VENUE, **told)
        elif step in {"trade", "fill"}:
            more = {"order": self._order} if step == "fill" else {}
            call(key, trades.log_trade, trade_id=key, venue=VENUE, **told, **more)
        else:
            call(key, trades.update_order_status, self._order, step, timestamp=told["timestamp"], reason=key)


def log_from_threads(diary: Diary, orders: Orders) -> None:
    """Make `count` calls from each of several threads, as the options say."""
    options = orders.options
    bots = [
        Bot(diary, cycle=orders.number, thread=thread, mode=options["mode"]) for thread in range(options["threads"])
    ]
    how = {name: options[name] for name in ("only", "pace") if name in options}
    workers = [threading.Thread(target=bot.work, args=(options["count"],), kwargs=how) for bot in bots]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
