"""How long reads took: counted where they are made, and told by whoever is asked, on the same machine."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from decimal import Decimal

import msgspec
import pytest
from django.core.management import call_command
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from friren.accounts import open_account
from friren.operations.metrics.calls import call_times, figures_of
from friren.persistence import call_times as counting
from friren.persistence.call_times import BOUNDS, CallTimes, Told
from tests.postgres import ROOT
from trading_engine.services import TradeLogger
from trading_engine.services.base import AccountService

READ = "TradeLogger.get_trade_history"


@pytest.fixture
def place(settings, tmp_path):
    """A folder of this test's own, to which nobody has told anything yet."""
    settings.FRIREN_HOME = str(tmp_path)
    return tmp_path / "call_times"


def tell(place, pid: int, *counts: int, name: str = "one.json", method: str = "get_x") -> None:
    place.mkdir(exist_ok=True)
    padded = [*counts, *([0] * (len(BOUNDS) + 1 - len(counts)))]
    told = Told(pid, [CallTimes("Logger", method, padded, 0.5)])
    (place / name).write_bytes(msgspec.json.encode(told))


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def counted() -> list[int]:
    (one,) = call_times()
    return one.counts[:2]


@pytest.mark.usefixtures("database")
def test_reads_of_another_process_are_told_and_records_are_not(place) -> None:
    open_account("timed")
    code = """
import datetime as dt, decimal, friren
friren.setup()
from trading_engine.services import TradeLogger
with TradeLogger("timed") as trades:
    trades.log_trade(symbol="AAA", action="buy", quantity=1, price=2, timestamp=dt.datetime.now(dt.UTC))
    for _ in range(3):
        trades.get_trade_history("AAA")
    trades.flush()
"""
    environment = os.environ | {"FRIREN_HOME": str(place.parent)}
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True)

    call_command("metrics", "--json", stdout=(out := io.StringIO()))
    services = json.loads(out.getvalue())["queries"]["services"]
    assert {name: one["count"] for name, one in services.items()} == {READ: 3, "TradeLogger.flush": 1}
    assert 0 < services[READ]["p50_ms"] <= services[READ]["p95_ms"]

    page = Client().get("/metrics").content.decode()
    samples = [
        sample
        for family in text_string_to_metric_families(page)
        if family.name == "friren_service_seconds"
        for sample in family.samples
        if sample.labels["method"] == "get_trade_history"
    ]
    buckets = [sample.value for sample in samples if sample.name.endswith("_bucket")]
    assert len(buckets) == len(BOUNDS) + 1
    assert (buckets == sorted(buckets), buckets[-1]) == (True, 3)
    assert [sample.value for sample in samples if sample.name.endswith("_count")] == [3]


def test_the_way_of_a_record_is_not_touched() -> None:
    written = {"log_trade", "log_order", "log_round_trip", "bulk_log", "update_trade_status"}

    assert {name for name in written if hasattr(getattr(TradeLogger, name), "__wrapped__")} == set()
    assert hasattr(TradeLogger.get_trade_history, "__wrapped__")
    assert hasattr(AccountService.flush, "__wrapped__")


def test_what_ended_processes_counted_stays_and_counts_once(place) -> None:
    tell(place, os.getpid(), 1, name="running.json")
    tell(place, ended_process(), 4, 2, name="ended-one.json")
    assert counted() == [5, 2]

    assert sorted(path.name for path in place.glob("*.json")) == ["ended.json", "running.json"]
    assert counted() == [5, 2]


def test_a_reader_that_was_killed_between_sum_and_removal_counts_nothing_twice(place) -> None:
    pid = ended_process()
    tell(place, pid, 4, name="ended-one.json")
    assert counted() == [4, 0]
    tell(place, pid, 4, name="ended-one.json")  # as if it had not been removed

    assert counted() == [4, 0]
    assert not (place / "ended-one.json").exists()


def test_a_file_that_is_damaged_or_counts_by_other_bounds_is_left_out(place) -> None:
    tell(place, os.getpid(), 1)
    (place / "damaged.json").write_bytes(b"{")
    (place / "older.json").write_bytes(msgspec.json.encode(Told(os.getpid(), [CallTimes("Logger", "get_x", [7])])))

    assert counted() == [1, 0]


def test_nobody_told_anything(place) -> None:
    assert call_times() == []


@pytest.mark.parametrize(
    ("counts", "p50", "p95"),
    [([100], 0.25, 0.475), ([50, 50], 0.5, 0.95), ([0] * len(BOUNDS) + [1], None, None), ([], None, None)],
)
def test_quantiles_are_as_exact_as_the_bounds(counts, p50, p95) -> None:
    padded = [*counts, *([0] * (len(BOUNDS) + 1 - len(counts)))]
    told = figures_of(CallTimes("Logger", "get_x", padded, float(Decimal("0.1"))))

    assert (told["p50_ms"], told["p95_ms"]) == (p50, p95)


def test_the_handler_of_a_signal_may_count_while_its_thread_does(place) -> None:
    def handler(*_: object) -> None:
        counting._here.add("Handler", "flush", 0.1)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with counting._here.lock:
            signal.raise_signal(signal.SIGALRM)
    finally:
        signal.signal(signal.SIGALRM, before)

    assert counting._here.calls.pop(("Handler", "flush")).seconds == pytest.approx(0.1)


def test_a_child_begins_to_count_anew(place) -> None:
    counting._here.add("Parent", "get_x", 0.1)
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writer, str(len(counting.taken_here())).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reader, 10) == b"0"
    counting._here.calls.pop(("Parent", "get_x"))
    os.close(reader)
    os.close(writer)
