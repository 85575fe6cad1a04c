"""Processes killed at any moment: what was acknowledged is stored, once, and the account is exact."""

from __future__ import annotations

import datetime as dt
import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from django.db import connections
from django.db.models import Sum

from friren.accounts import open_account
from friren.core.ids import new_id
from friren.persistence.adoption import adopt
from friren.persistence.codec import encode
from friren.persistence.conservation import write_path
from friren.persistence.facts import Fact
from friren.persistence.journal import Address, Journal, journals_of
from friren.persistence.models import DeadLetter, JournalCursor
from trading_engine.models import Trade
from trading_engine.trade_facts import trade_fact

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("database")]

AT = dt.datetime(2024, 1, 8, tzinfo=dt.UTC)
# Logs trades and tells each id once it is accepted, while a thread drains.
LOGGER = textwrap.dedent(
    """
    import pathlib, sys, threading
    import friren; friren.setup()
    import datetime as dt
    from decimal import Decimal
    from django.db import connections
    from friren.accounts import find_account
    from friren.persistence.codec import encode
    from friren.persistence.drain import Drainer
    from friren.persistence.journal import Address, Journal
    from trading_engine.trade_facts import trade_fact

    book, at = find_account("momentum"), dt.datetime(2024, 1, 8, tzinfo=dt.UTC)
    journal = Journal(pathlib.Path(sys.argv[1]), Address.of(connections.settings["default"]), segment_bytes=100_000)
    drainer = Drainer(journal, batch_rows=50)
    threading.Thread(target=drainer.run, daemon=True).start()
    number = 0
    while True:
        number += 1
        fact = trade_fact(book, symbol=f"S{number % 5}", action="buy", quantity=Decimal(1), price=Decimal("1.5"),
                          timestamp=at + dt.timedelta(seconds=number))
        journal.append(encode(fact), sync=number % 20 == 0)
        sys.stdout.write(f"{fact.id}\\n")
        sys.stdout.flush()
    """
)
ADOPTER = textwrap.dedent(
    """
    import pathlib, sys
    import friren; friren.setup()
    from django.db import connections
    from friren.persistence.drain import Drainer
    from friren.persistence.journal import Address, journals_of
    print("ready", flush=True)
    sys.stdin.readline()
    total = 0
    for reader in journals_of(pathlib.Path(sys.argv[1]), Address.of(connections.settings["default"])):
        done = Drainer(reader, batch_rows=int(sys.argv[2])).drain_all()
        total += done.moved
    print(total, flush=True)
    """
)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def book(database):
    return open_account("momentum")


def here() -> Address:
    return Address.of(connections.settings["default"])


def start(script: str, *arguments, **streams) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], text=True, **streams)


def assert_all_accounted_for(root) -> None:
    found = write_path(root, here())
    assert found.total("backlog") == found.total("ahead") == 0
    counted = JournalCursor.objects.aggregate(Sum("stored"), Sum("seq"), Sum("dead_lettered"), Sum("duplicates"))
    assert counted["stored__sum"] == Trade.objects.count()
    assert counted["seq__sum"] == found.total("last_seq") == sum(len_of(reader) for reader in journals_of(root, here()))
    assert counted["dead_lettered__sum"] == counted["duplicates__sum"] == 0
    assert not DeadLetter.objects.exists()


def len_of(reader) -> int:
    return len(reader.read(1, 1_000_000))


def test_a_logger_killed_at_any_moment_loses_nothing_and_stores_nothing_twice(root, book, tmp_path) -> None:
    chance = random.Random(20261120)
    acknowledged: set[str] = set()
    drained_before_the_kill = 0
    for turn in range(8):
        log = tmp_path / f"acknowledged-{turn}"
        with log.open("w") as out:
            logger = start(LOGGER, root, stdout=out)
            wait_for(lambda log=log, logger=logger: log.stat().st_size > 0 and logger.poll() is None)
            if turn % 2:  # in the midst of draining; else before it or in it, as it comes
                wait_for(lambda turn=turn: drained_producers() > turn)
            time.sleep(chance.uniform(0, 0.6))
            logger.send_signal(signal.SIGKILL)
            logger.wait()
        acknowledged |= {line for line in log.read_text().split("\n")[:-1] if len(line) == 36}
        drained_before_the_kill += drained_producers() > turn
        adopt(root, here())
    stored = {str(key) for key in Trade.objects.values_list("id", flat=True)}
    assert acknowledged <= stored
    # No more than the one record a turn whose acknowledgement the kill cut off.
    assert len(stored - acknowledged) <= 8
    assert drained_before_the_kill >= 4  # else the hard part was not reached
    assert_all_accounted_for(root)


def test_an_adopter_killed_at_any_moment_leaves_the_rest_to_the_next(root, book) -> None:
    chance = random.Random(20261121)
    left = Journal(root, here(), segment_bytes=100_000)
    first = trade_fact(book, symbol="AAPL", action="buy", quantity=1, price=1, timestamp=AT)
    for _ in range(20_000):
        left.append(encode(Fact(kind="trade", id=new_id(), values=first.values)), sync=False)
    left.close()
    seen = set()
    for _turn in range(6):
        adopter = start(ADOPTER, root, 20, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert adopter.stdout.readline() == "ready\n"
        adopter.stdin.write("go\n")
        adopter.stdin.flush()
        wait_for(lambda: drained_of(left) > max(seen, default=0))
        time.sleep(chance.uniform(0, 0.1))
        adopter.send_signal(signal.SIGKILL)
        adopter.communicate()
        cursor = JournalCursor.objects.filter(producer=left.producer).first()
        seen.add(cursor.seq if cursor else 0)
        assert Trade.objects.count() == (cursor.stored if cursor else 0)
    assert len(seen) == 6
    adopt(root, here())
    assert Trade.objects.count() == 20_000
    assert_all_accounted_for(root)


def test_adopters_at_work_together_store_everything_once(root, book) -> None:
    first = trade_fact(book, symbol="AAPL", action="buy", quantity=1, price=1, timestamp=AT)
    for _ in range(3):
        left = Journal(root, here())
        for _ in range(1000):
            left.append(encode(Fact(kind="trade", id=new_id(), values=first.values)), sync=False)
        left.close()
    adopters = [start(ADOPTER, root, 60, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    for adopter in adopters:
        assert adopter.stdout.readline() == "ready\n"
    moved = 0
    for adopter in adopters:
        adopter.stdin.write("go\n")
        adopter.stdin.flush()
    for adopter in adopters:
        moved += int(adopter.communicate(timeout=240)[0])
    assert moved == 3000
    assert Trade.objects.count() == 3000
    assert_all_accounted_for(root)


def drained_producers() -> int:
    return JournalCursor.objects.filter(seq__gt=0).count()


def drained_of(journal) -> int:
    return JournalCursor.objects.filter(producer=journal.producer).values_list("seq", flat=True).first() or 0


def wait_for(condition) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
