"""A writer killed at any moment leaves every record it was told of."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
import time

from friren.persistence.journal import Record, journals_of

from .conftest import ADDRESS
from .test_journal import read_all

WRITER = textwrap.dedent(
    """
    import pathlib, sys, threading
    from friren.persistence.journal import Address, Journal
    journal = Journal(pathlib.Path(sys.argv[1]), Address("db.example", "5432", "trading"), segment_bytes=20_000)

    def write(thread):
        number = 0
        while True:
            number += 1
            payload = f"{thread}:{number}:" + "x" * (number % 200)
            seq = journal.append(payload.encode(), sync=number % 3 == 0)
            sys.stdout.write(f"{seq} {payload}\\n")
            sys.stdout.flush()

    for thread in range(3):
        threading.Thread(target=write, args=(thread,), daemon=True).start()
    threading.Event().wait()
    """
)


def test_every_acknowledged_record_is_there_after_kill_9(root, tmp_path) -> None:
    chance = random.Random(20261120)
    acknowledged = 0
    for turn in range(12):
        log = tmp_path / f"acknowledged-{turn}"
        with log.open("w") as out:
            writer = subprocess.Popen([sys.executable, "-c", WRITER, root], stdout=out)
            while not log.stat().st_size:
                assert writer.poll() is None
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.1))
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        lines = [line.split(" ", 1) for line in log.read_text().split("\n")[:-1]]
        told = {int(seq): payload.encode() for seq, payload in lines if payload.count(":") == 2}
        reader = journals_of(root, ADDRESS)[-1]
        assert not reader.alive
        found = read_all(reader, limit=1000)
        assert all(isinstance(item, Record) for item in found)
        assert [item.seq for item in found] == list(range(1, reader.last_seq + 1))
        kept = {item.seq: item.payload for item in found}
        assert {seq: kept.get(seq) for seq in told} == told
        # No more than the three records that three threads could be writing.
        assert len(kept) - len(told) <= 3
        acknowledged += len(told)
    assert acknowledged > 200


def test_two_processes_do_not_meet(root) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, root], stdout=subprocess.DEVNULL) for _ in range(2)]
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            readers = journals_of(root, ADDRESS)
            if len(readers) == 2 and all(reader.alive and reader.last_seq > 50 for reader in readers):
                break
            time.sleep(0.02)
        for reader in readers:
            found = read_all(reader, limit=1000)
            assert [item.seq for item in found] == list(range(1, len(found) + 1))
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    assert not any(reader.alive for reader in readers)
