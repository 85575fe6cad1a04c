"""The tasks of a child: what a process under test does, and what is asked of the database through Friren afterwards."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

from friren.persistence.conservation import write_path
from friren.persistence.dead_letters import open_letters
from friren.persistence.engines import engine_for
from friren.persistence.journal import Address
from friren.persistence.replay import replay
from portfolio_manager.data_logger import PortfolioTracker
from tests.faults.bank_tasks import bank_books, make_deals, open_bank
from tests.faults.child import Bot, Diary, log_from_threads
from tests.faults.interrupts import interrupt
from tests.faults.orders import Orders
from tests.faults.poisoned_journal import drain_both
from tests.faults.process_tasks import cancel, fork_under_load, log_until_terminated, short_threads
from tests.faults.script import ACCOUNT
from tests.faults.waits import log_and_time

__all__ = [
    "account", "bank_books", "cancel", "drain_both", "fork_under_load", "interrupt", "log", "log_and_fork",
    "log_and_time", "log_until_terminated", "make_deals", "open_bank", "recover", "short_threads",
]  # fmt: skip

# Stands in keys for the thread of a forked child.
FORKED = 99


def log(orders: Orders) -> None:
    """Log until it is killed, or so much was logged; then wait for what is in the journal to be stored."""
    diary = Diary(orders.log)
    log_from_threads(diary, orders)
    _tell_times(diary, orders)
    engine_for().flush(orders.options.get("flush", 30))


def log_and_fork(orders: Orders) -> None:
    """Likewise, and in the middle of it fork a child, which logs a little, and outlives its parent."""
    diary = Diary(orders.log)
    worker = threading.Thread(target=log_from_threads, args=(diary, orders))
    worker.start()
    while len(diary.seconds) < orders.options["count"] // 4:
        time.sleep(0.001)
    if os.fork() == 0:
        Path(f"{orders.log}.forked").write_text(str(os.getpid()))
        Bot(diary, cycle=orders.number, thread=FORKED, mode="journal").work(80)
        time.sleep(orders.options["outlives"])
        os._exit(0)
    worker.join()
    engine_for().flush(orders.options.get("flush", 30))


def _tell_times(diary: Diary, orders: Orders) -> None:
    if orders.options.get("timed"):
        Path(f"{orders.log}.times").write_text(json.dumps(diary.seconds))


def recover(_orders: Orders) -> dict[str, Any]:
    """Drain what all have left, as `manage.py replay` does, and say what came of it."""
    done = replay(timeout=240)
    return {"moved": done.moved, "remaining": done.remaining, "dead_lettered": done.dead_lettered}


def account(orders: Orders) -> dict[str, Any]:
    """The account of every record, and the books refolded: what differs must be nothing."""
    root = Path(settings.FRIREN_HOME) / "journal"
    found = write_path(root, Address.of(connections.settings["default"]))
    names = ("last_seq", "stored", "duplicates", "dead_lettered", "backlog", "ahead")
    books = orders.options.get("books", True)
    differences = PortfolioTracker(account=ACCOUNT).rebuild(check=True).differences if books else ()
    return {name: found.total(name) for name in names} | {
        "producers": len(found.producers),
        "letters": [
            f"{letter.seq} of {letter.producer}: {letter.kind}: {letter.error}: {bytes(letter.payload)[:300]!r}"
            for letter in open_letters()[:20]
        ],
        "differences": [str(difference) for difference in differences],
    }
