"""Forked children, and the end of a process: whose connections and records are whose, and what is saved last."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import multiprocessing
import os
from decimal import Decimal

import pytest

from friren import accounts
from friren.persistence import answers, engines
from friren.persistence.engines import engine_for
from friren.persistence.journal import Record, journals_of
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.booking import later
from portfolio_manager.data_logger import PortfolioTracker
from tests.interruptions import cut_off
from trading_engine.models import Trade
from trading_engine.services import TradeLogger

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

AT = dt.datetime(2026, 3, 2, 15, tzinfo=dt.UTC)
FILL = {"symbol": "AAPL", "action": "buy", "quantity": Decimal(10), "price": Decimal("187.32"), "timestamp": AT}


@pytest.fixture
def book():
    return accounts.open_account("forks")


def in_child(work):
    """Run `work` in a forked child and return what it returned."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(answer)


@pytest.mark.parametrize("mode", ["direct", "journal"])
def test_a_child_is_another_producer_and_the_parent_goes_on(book, mode) -> None:
    trades = TradeLogger(account=book, mode=mode)
    parents = {trades.log_trade(**FILL).id}

    def child():
        receipt = trades.log_trade(**FILL)
        flushed = trades.flush(timeout=60)
        told = [str(receipt.id), flushed, str(engine_for().producer)]
        engine_for().close(1)
        return told

    key, flushed, producer = in_child(child)
    parents.add(trades.log_trade(**FILL).id)
    assert flushed
    assert trades.flush(timeout=60)
    assert producer != str(engine_for().producer)
    assert {str(one) for one in Trade.objects.values_list("id", flat=True)} == {key, *map(str, parents)}


def test_a_child_that_is_forked_while_others_read_and_book_has_their_locks_open(book) -> None:
    trades = TradeLogger(account=book)
    trades.log_trade(**FILL)
    with answers._lock, later._lock:

        def child():
            later._under_way.add(("default", book.id))
            return [answers._lock.locked(), later._lock.locked(), len(trades.get_trade_history("AAPL"))]

        assert in_child(child) == [False, False, 1]


def test_a_child_of_multiprocessing_has_stored_what_it_journaled_when_it_ends(book) -> None:
    trades = TradeLogger(account=book, mode="journal")

    def child():
        for _ in range(20):
            assert trades.log_trade(**FILL).outcome is WriteOutcome.JOURNALED

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(120)
    assert process.exitcode == 0
    assert Trade.objects.count() == 20


def test_what_only_memory_has_is_written_when_the_process_ends_if_the_disk_takes_it_by_then(book, monkeypatch) -> None:
    trades, engine = TradeLogger(account=book), engine_for()
    monkeypatch.setattr("friren.persistence.engine.RELIEF_SECONDS", 60.0)
    monkeypatch.setattr(engine.circuit, "begin_probe", lambda: False)
    engine._connection_failed("it is away")
    engine.root.write_text("in the way")
    try:
        kept = [trades.log_trade(**FILL) for _ in range(3)]
        assert {receipt.outcome for receipt in kept} == {WriteOutcome.BUFFERED}
    finally:
        engine.root.unlink()
    engines.close_all(0)
    (journal,) = journals_of(engine.root, engine.address)
    records = [entry for entry in journal.read(1, 10) if isinstance(entry, Record)]
    assert [str(receipt.id) in record.payload.decode() for receipt, record in zip(kept, records, strict=True)] == [
        True
    ] * 3


@pytest.mark.parametrize("method", ["log_trade", "record_trade"])
def test_wherever_a_call_is_cut_off_it_keeps_no_connection(book, method) -> None:
    """As by Ctrl-C: the next call of that thread gives back what the one cut off had, and works."""
    service = TradeLogger(account=book) if method == "log_trade" else PortfolioTracker(book)
    call = getattr(service, method)
    call(**FILL)
    engine = engine_for()
    pool = (engine._writes if method == "log_trade" else engine._patient).pool
    for at in itertools.count(1):
        cut = cut_off(lambda: call(**FILL), at=at, within=("persistence/pool.py", "persistence/direct.py"))
        assert call(**FILL).outcome is WriteOutcome.STORED, at
        assert (pool.open, pool._wanted, pool._lent) == (len(pool._ready), 0, {}), at
        if not cut:
            break
    assert at > 15
