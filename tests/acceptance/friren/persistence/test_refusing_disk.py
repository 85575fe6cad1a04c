"""The disk refuses too: records stay in memory, counted and alarmed, and follow in order once it takes them again."""

from __future__ import annotations

import contextlib
import os
import subprocess

import pytest

from tests.acceptance.friren.persistence.outage_tools import account_of_records, logger, migrated, stored
from tests.servers import ThrowAwayServer

__all__ = ["logger", "migrated"]

BUFFER = 100


@pytest.fixture
def in_order(migrated: ThrowAwayServer):
    """The numbers of the stored trades, in the order in which PostgreSQL took them."""

    def numbers() -> list[int]:
        with migrated.connect() as connection:
            rows = connection.execute("SELECT external_id FROM trading_engine_trade ORDER BY recorded_seq")
            return [int(row[0].lstrip("T")) for row in rows.fetchall()]

    return numbers


class _NotADirectory:
    """Something else stands where the journal should: no privilege helps, and every system refuses alike."""

    def __init__(self, server) -> None:
        self.path = server.home / "journal"

    def begin(self) -> None:
        self.path.write_text("in the way")

    def end(self) -> None:
        self.path.unlink()

    def remove(self) -> None:
        """Nothing of it is left."""


class _FullDisk:
    """A disk of 64 KB that is full to its last byte."""

    def __init__(self, server) -> None:
        self.path = server.home / "journal"

    def begin(self) -> None:
        self.path.mkdir(mode=0o700, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(self.path)], check=True)
        ballast = os.open(self.path / "ballast", os.O_WRONLY | os.O_CREAT)
        with contextlib.suppress(OSError):  # no space left on device
            while os.write(ballast, b"x" * 512):
                pass
        os.close(ballast)

    def end(self) -> None:
        subprocess.run(["mount", "-o", "remount,size=64m", str(self.path)], check=True)

    def remove(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=False)


class _ReadOnly(_FullDisk):
    """A disk that takes no writes at all."""

    def begin(self) -> None:
        self.path.mkdir(mode=0o700, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "none", str(self.path)], check=True)
        subprocess.run(["mount", "-o", "remount,ro", str(self.path)], check=True)

    def end(self) -> None:
        subprocess.run(["mount", "-o", "remount,rw", str(self.path)], check=True)


def _may_mount() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


needs_mount = pytest.mark.skipif(not _may_mount(), reason="only root may mount a disk to fill")


@pytest.fixture(
    params=[_NotADirectory, pytest.param(_FullDisk, marks=needs_mount), pytest.param(_ReadOnly, marks=needs_mount)]
)
def disk(request, migrated):
    made = request.param(migrated)
    try:
        made.begin()
        yield made
    finally:
        made.remove()


@pytest.mark.parametrize("mode", ["direct", "journal"])
def test_records_are_buffered_and_follow_in_order_after_relief(migrated, logger, disk, mode, in_order) -> None:
    one = logger("log_in_turns", str(BUFFER), mode)
    one.expect("ready")
    migrated.stop()
    # The account is open and known; from here on nothing takes a record.
    said = one.ask("trades 30")
    assert said["errors"] == {}
    assert said["outcomes"] == {"BUFFERED": 30}
    assert said["buffered"] == 30

    disk.end()
    migrated.start()
    said = one.ask("flush")
    assert said["flushed"], said
    assert said["buffered"] == said["backlog"] == 0
    assert in_order() == list(range(1, 31))
    one.say("end")
    _result, log = one.end()
    assert log.count("the journal in") == 1, log
    assert log.count("are safe") == 1, log


@pytest.mark.parametrize("disk", [_NotADirectory, pytest.param(_FullDisk, marks=needs_mount)], indirect=True)
def test_from_eighty_per_cent_on_no_risk_is_taken_and_fills_still_are(migrated, logger, disk) -> None:
    one = logger("log_in_turns", str(BUFFER), "direct", FRIREN_WRITE_DEADLINE="10")
    one.expect("ready")
    migrated.stop()
    assert one.ask(f"orders {BUFFER * 8 // 10}")["outcomes"] == {"BUFFERED": BUFFER * 8 // 10}
    refused = one.ask("orders 3")
    assert refused["outcomes"] == {}
    assert sum(refused["errors"].values()) == 3
    assert all(name.startswith("StopTradingError") for name in refused["errors"])
    # Fills of orders that are out already happened, whatever the bound.
    assert one.ask(f"trades {BUFFER}")["outcomes"] == {"BUFFERED": BUFFER}
    # Telemetry has no place beyond it, and what is refused is counted.
    assert one.ask("signals 7")["outcomes"] == {"LOST": 7}

    disk.end()
    migrated.start()
    assert one.ask("flush")["flushed"]
    assert one.ask("orders 1")["outcomes"] == {"STORED": 1}
    one.say("end")
    one.end()
    assert len(stored(migrated)) == BUFFER
    with migrated.connect() as connection:
        lost = connection.execute("SELECT kind, lost FROM persistence_lossrecord").fetchall()
        orders = connection.execute("SELECT count(*) FROM trading_engine_order").fetchone()
    assert lost == [("signal", 7)]
    assert orders == (BUFFER * 8 // 10 + 1,)
    account = account_of_records(migrated)
    assert account["seq"] == account["stored"] + account["duplicates"] + account["dead_lettered"]
    assert account["dead_lettered"] == 0
