"""Many processes trade into one account at once: nothing is lost, nothing deadlocks, the books are the fold."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db.models import Sum

from friren.accounts import open_account
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import AccountState, LedgerEntry, PositionFill
from tests.outages import TRADES
from tests.stored_books import folded_books, stored_books
from trading_engine.models import Trade

pytestmark = pytest.mark.usefixtures("database")

# Of each of the eight; the figure to show is 1,000.
FILLS = TRADES // 10
WRITER = Path(__file__).with_name("fill_writer.py")
# Once all are ready, so that they write at the same time.
START_SECONDS = 0.2
# A machine that does other things as well may hold a process up for longer than a trade should wait.
PATIENT = os.environ | {"DB_LOCK_TIMEOUT": "20", "DB_STATEMENT_TIMEOUT": "30", "FRIREN_WRITE_DEADLINE": "60"}


@contextlib.contextmanager
def writing(methods: list[str], fills: int, *, late: float = 0.001, timeout: float) -> Iterator[Counter[str]]:
    """
    Run a process per method, each writing `fills` fills to the account `many`; yields when they begin.

    What is yielded holds their outcomes once the block has ended.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, str(WRITER), "many", str(number), str(fills), method, str(late)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=PATIENT,
        )
        for number, method in enumerate(methods)
    ]
    outcomes: Counter[str] = Counter()
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n", process.communicate()[1]
        start = time.time() + START_SECONDS
        for process in processes:
            process.stdin.write(f"{start}\n")
            process.stdin.flush()
        time.sleep(START_SECONDS)
        yield outcomes
        for process in processes:
            out, err = process.communicate(timeout=timeout)
            assert process.returncode == 0, err
            outcomes.update(json.loads(out))
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_eight_processes_trade_into_an_account_that_starts_empty() -> None:
    account = open_account("many")
    with writing(["record"] * 8, FILLS, timeout=600) as outcomes:
        pass
    assert outcomes == {"STORED": 8 * FILLS}
    assert Trade.objects.count() == 8 * FILLS
    assert PositionFill.objects.filter(role="REDUCE").exists()
    # Nothing was left for a reader to book.
    assert AccountState.objects.get().trade_count == 8 * FILLS
    assert stored_books(account.id) == folded_books(account)
    assert PortfolioTracker(account).rebuild(check=True).differences == ()


@pytest.mark.slow
def test_processes_that_log_and_book_mix_with_processes_that_record() -> None:
    account = open_account("many")
    with writing(["record", "log", "record", "log"], 150, timeout=600) as outcomes:
        pass
    # A logged fill may be booked by another process before its own asks for it: then it is a duplicate.
    assert outcomes.total() == 600
    assert AccountState.objects.get().trade_count == 600
    assert stored_books(account.id) == folded_books(account)


@pytest.mark.slow
def test_a_period_closes_while_others_trade_into_it_and_nothing_slips_in_behind() -> None:
    account = open_account("many")
    tracker = PortfolioTracker(account)
    with writing(["record", "log", "record"], 400, late=0.2, timeout=600) as outcomes:
        while Trade.objects.count() < 150:
            time.sleep(0.05)
        # Writers stamp their fills with the time that has passed since BEGIN: this is about now for them.
        newest = Trade.objects.latest("executed_at").executed_at
        checkpoint = tracker.close_period(newest)
    before = Trade.objects.filter(executed_at__lt=newest)
    assert outcomes["CLOSED"] > 0
    assert outcomes.total() == 1200
    assert Trade.objects.count() == 1200 - outcomes["CLOSED"]
    assert before.count() == checkpoint.trade_count > 0
    cash = LedgerEntry.objects.filter(occurred_at__lt=newest).aggregate(sum=Sum("amount"))["sum"]
    assert cash == checkpoint.cash
    assert stored_books(account.id) == folded_books(account)
