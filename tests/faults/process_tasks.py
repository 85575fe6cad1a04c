"""Tasks of a child that has children of its own, threads that end, calls that are cancelled, and an end by SIGTERM."""

from __future__ import annotations

import asyncio
import atexit
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from friren.persistence.engines import engine_for
from friren.persistence.settings import ASYNC_WORKERS
from portfolio_manager.data_logger import PortfolioTracker
from tests.faults.child import Bot, Diary
from tests.faults.offspring import log_as_child
from tests.faults.orders import Orders
from tests.faults.script import ACCOUNT, VENUE, details_of, key_of
from tests.faults.sockets import connections_of, pools_at_rest
from trading_engine.services import TradeLogger

__all__ = ["cancel", "fork_under_load", "log_until", "log_until_terminated", "report", "short_threads"]

# Stands in keys for the first thread of a child's child; its own threads are numbered from 0.
CHILDREN = 100
Twins = Callable[[str, int], Any]
# So many times more calls does a child make that is killed meanwhile.
ENDLESS = 100
# The step of a round that is a plain log_trade, and the one that is booked at once.
TRADE, BOOKED = 2, 6


def fork_under_load(orders: Orders) -> None:
    """
    Start children while two threads log: by fork or spawn, all of which log too, and of which some are killed.

    Options:
        method: of multiprocessing.
        rounds, children: how many at a time, and how often.
        count: calls of each; every third makes more, and is killed meanwhile.
    """
    options, chance = orders.options, random.Random(orders.number)
    start = multiprocessing.get_context(options["method"]).Process
    diary, stop = Diary(orders.log), threading.Event()
    bots = [Bot(diary, cycle=orders.number, thread=thread, mode="mixed") for thread in range(2)]
    loggers = [threading.Thread(target=log_until, args=(bot, orders.number, n, stop)) for n, bot in enumerate(bots)]
    for logger in loggers:
        logger.start()
    while len(diary.seconds) < 16:
        time.sleep(0.001)
    statuses: list[int | None] = []
    for turn in range(options["rounds"]):
        children = {}
        for number in range(CHILDREN + turn * options["children"], CHILDREN + (turn + 1) * options["children"]):
            count = options["count"] * (ENDLESS if doomed(number) else 1)
            children[number] = start(target=log_as_child, args=(orders.log, orders.number, number, count), daemon=True)
            children[number].start()
        for number, child in children.items():
            if doomed(number):
                _wait_for(Path(f"{orders.log}.{number}.diary"))
                time.sleep(chance.uniform(0, 0.1))
                child.kill()
        for child in children.values():
            child.join(120)
            statuses.append(child.exitcode)
    mine = sorted(connections_of())
    stop.set()
    for logger in loggers:
        logger.join()
    flushed = engine_for().flush(60)
    report(orders, statuses=statuses, connections=mine, flushed=flushed, pools=pools_at_rest())


def doomed(number: int) -> bool:
    """Whether a child of that number is killed: every third, the first among them."""
    return number % 3 == CHILDREN % 3


def log_until(bot: Bot, cycle: int, thread: int, stop: threading.Event) -> None:
    """Make calls until told to stop."""
    index = 0
    while not stop.is_set():
        bot.step(key_of(cycle, thread, index))
        index += 1
        time.sleep(0.002)


def _wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists() or not path.stat().st_size:
        if time.monotonic() > until:
            raise AssertionError(f"{path} does not come: the child hangs")
        time.sleep(0.001)


def report(orders: Orders, **told: Any) -> None:
    """Leave what there is to tell beside the history."""
    Path(f"{orders.log}.report").write_text(json.dumps(told))


def short_threads(orders: Orders) -> None:
    """Let many threads log a little and end, sixteen at a time."""
    diary, most = Diary(orders.log), 0
    for first in range(0, orders.options["threads"], 16):
        bots = [Bot(diary, cycle=orders.number, thread=first + n, mode="mixed") for n in range(16)]
        threads = [threading.Thread(target=bot.work, args=(orders.options["count"],)) for bot in bots]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        most = max(most, len(connections_of()))
    flushed = engine_for().flush(60)
    report(orders, most=most, flushed=flushed, pools=pools_at_rest(), threads=threading.active_count())


def cancel(orders: Orders) -> None:
    """Cancel calls of the async twins in their midst, by `task.cancel` and by `asyncio.timeout`, in several loops."""
    diary = Diary(orders.log)
    counts = {"cancelled": 0, "timed out": 0, "answered": 0}
    loops = orders.options["loops"]
    call = _twins()
    for loop in range(loops):
        asyncio.run(_cancelled_calls(call, diary, orders, loop, counts))
    after = asyncio.run(_calls_at_once(call, diary, orders, thread=loops))
    flushed = engine_for().flush(60)
    report(orders, **counts, after=after, flushed=flushed, pools=pools_at_rest())


async def _cancelled_calls(call: Twins, diary: Diary, orders: Orders, loop: int, counts: dict[str, int]) -> None:
    chance = random.Random(f"{orders.number} {loop}")
    count = orders.options["count"]

    async def one(number: int) -> None:
        key = key_of(orders.number, loop, number * 8 + (TRADE if number % 2 else BOOKED))
        # Its line is written before the call is handed over: from there on it must not be lost.
        diary.begins(key)
        try:
            async with asyncio.timeout(chance.choice((None, 0.0, chance.uniform(0, 0.02)))):
                receipt = await call(key, number)
        except TimeoutError:
            counts["timed out"] += 1
        except asyncio.CancelledError:
            counts["cancelled"] += 1
        else:
            counts["answered"] += 1
            diary.ends(key, receipt)

    for first in range(0, count, 50):
        tasks = [asyncio.create_task(one(number)) for number in range(first, min(first + 50, count))]
        await asyncio.sleep(0)  # each has begun
        for task in tasks:
            if chance.random() < 0.5:
                asyncio.get_running_loop().call_later(chance.uniform(0, 0.03), task.cancel)
        # The last are left in the midst of their calls, and the loop is closed under them.
        if first + 50 < count:
            await asyncio.gather(*tasks)


async def _calls_at_once(call: Twins, diary: Diary, orders: Orders, *, thread: int) -> int:
    """Make more calls than there are threads for them; return how many are answered: none of the threads hangs."""
    keys = [key_of(orders.number, thread, number * 8 + TRADE) for number in range(ASYNC_WORKERS * 3)]
    for key in keys:
        diary.begins(key)
    async with asyncio.timeout(60):
        for key, receipt in zip(keys, await asyncio.gather(*[call(key, 1) for key in keys]), strict=True):
            diary.ends(key, receipt)
    return len(keys)


def _twins() -> Twins:
    direct, journal = (TradeLogger(account=ACCOUNT, mode=mode) for mode in ("direct", "journal"))
    books = PortfolioTracker(account=ACCOUNT)

    def call(key: str, number: int) -> Any:
        method = (direct.alog_trade if number % 4 == 1 else journal.alog_trade) if number % 2 else books.arecord_trade
        return method(trade_id=key, venue=VENUE, **details_of(key))

    return call


def log_until_terminated(orders: Orders) -> None:
    """
    Log from the main thread and another until SIGTERM, under the handler that the options name: "default" or "exit".

    After an exit the interpreter's end is gone through as it is: threads are waited for, then come the exit handlers.
    """
    if orders.options["handler"] == "exit":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    diary = Diary(orders.log)
    mode = orders.options["mode"]
    bots = [Bot(diary, cycle=orders.number, thread=thread, mode=mode) for thread in range(2)]
    stop = threading.Event()
    threading.Thread(target=log_until, args=(bots[1], orders.number, 1, stop), daemon=True).start()
    try:
        log_until(bots[0], orders.number, 0, stop)
    except SystemExit:
        stop.set()
        threading._shutdown()
        atexit._run_exitfuncs()
        os._exit(0)
