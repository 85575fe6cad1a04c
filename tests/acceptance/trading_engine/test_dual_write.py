"""A paper trader in dual-write mode while its database is killed: no cycle fails, and both sides end the same."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.outages import CYCLES
from tests.postgres import ROOT
from tests.servers import command_environment, throw_away_server

SCRIPT = Path(__file__).with_name("dual_writer.py")
SEED = 20_260_302
# A call is at most as slow as the deadline of a direct write and the journal's own sync, many times over.
SLOWEST_SECONDS = 30


@pytest.fixture
def migrated():
    yield from throw_away_server(migrated=True)


class Trading:
    """A process that trades on paper."""

    def __init__(self, server, **flags) -> None:
        environment = server.environment(PYTHONPATH=str(ROOT), **flags)
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(SEED)],
            env=command_environment(server.home, **environment),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, word: str) -> dict:
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the trader ended"
        return json.loads(line)

    def close(self) -> int:
        self.process.stdin.close()
        code = self.process.wait(timeout=240)
        self.process.stdout.close()
        return code


def test_the_database_is_killed_at_random_and_no_cycle_fails(migrated, tmp_path) -> None:
    """The database is killed within every second cycle or so, at any moment of it, and comes back some cycles later."""
    flags = {"USE_DATABASE_WRITE": "true", "USE_DATABASE_READ": "true", "FRIREN_JSON_DIR": str(tmp_path / "data")}
    trading, chance = Trading(migrated, **flags), random.Random(SEED)
    sides, kills, up = set(), 0, True
    for number in range(CYCLES):
        killer = None
        if up and (number == 1 or chance.random() < 0.5):
            killer = threading.Timer(chance.random() * 0.1, migrated.kill)
            killer.start()
        elif not up and chance.random() < 0.6:
            migrated.start()
            up = True
        told = trading.ask("cycle")
        assert told["slowest"] < SLOWEST_SECONDS
        sides |= {tuple(each) for each in told["sides"]}
        if killer is not None:
            killer.join()
            kills, up = kills + 1, False
    if not up:
        migrated.start()
    ended = trading.ask("end")
    assert (ended["flushed"], ended["waiting"]) == (True, 0)
    assert trading.close() == 0

    checked = migrated.manage("check_consistency", "--json", **flags)

    report = json.loads(checked.stdout)
    assert checked.returncode == 0, json.dumps(report, indent=1)[:4000]
    trades = report["per_table"]["trades"]
    assert trades["count"] == {"file": ended["trades"], "database": ended["trades"]}
    assert trades["digest"]["file"] == trades["digest"]["database"]
    assert kills >= 1
    assert {file for file, _database in sides} <= {"stored", "duplicate"}
    assert {database for _file, database in sides} >= {"stored", "journaled"}
    assert "behind" not in {database for _file, database in sides}
    books = migrated.manage("rebuild_positions", "--check", "--json")
    assert json.loads(books.stdout)["differences"] == 0, books.stdout


def test_without_files_a_cycle_leaves_none(migrated, tmp_path) -> None:
    flags = {
        "USE_DATABASE_WRITE": "true",
        "USE_DATABASE_READ": "true",
        "DUAL_WRITE": "false",
        "FRIREN_JSON_DIR": str(tmp_path / "data"),
    }
    trading = Trading(migrated, **flags)

    sides = [each for _number in range(2) for each in trading.ask("cycle")["sides"]]

    assert trading.close() == 0
    assert {file for file, _database in sides} == {"off"}
    assert not (tmp_path / "data").exists()
