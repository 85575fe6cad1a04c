"""The books while the database is away: nothing raises but what a person asked for, and unknown is never zero."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from friren.persistence.settings import PATIENT_DEADLINE_SECONDS
from tests.outages import frozen
from tests.postgres import ROOT
from tests.servers import command_environment, throw_away_server

SCRIPT = Path(__file__).with_name("book_keeper.py")


@pytest.fixture
def migrated():
    yield from throw_away_server(migrated=True)


class Keeper:
    """A process that keeps books, and what it says of each of its calls."""

    def __init__(self, server) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT)],
            env=command_environment(server.home, **server.environment(PYTHONPATH=str(ROOT))),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, word: str) -> dict:
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def keeper(migrated):
    one = Keeper(migrated)
    yield one
    one.process.stdin.close()
    one.process.wait(timeout=240)
    one.process.stdout.close()


STEP = {"raised": "DatabaseUnavailableError", "plain": True}
UNKNOWN = {"realized": None, "total": None, "net": None, "as_of": False, "stale": True}
BEFORE = {"realized": "20", "total": "35", "net": "34", "as_of": True, "stale": True}


@contextlib.contextmanager
def away(server, how: str):
    if how == "frozen":
        with frozen(server):
            yield
    else:
        server.stop()
        yield
        server.start()


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_what_was_known_is_said_with_its_age_and_everything_follows(migrated, keeper, how) -> None:
    keeper.ask("trade")
    known = keeper.ask("calls")
    assert known["update_position"] == {"outcome": "DUPLICATE"}
    assert known["mark_to_market"] == {"done": True, "positions": 1}
    assert known["calculate_pnl"] == BEFORE | {"stale": False}
    assert known["by_symbol"] == {"keys": ["AAPL"], "as_of": True, "stale": False}
    assert known["compute"] == {"outcome": "STORED"}
    assert known["rebuild"] == {"differences": 0}
    with away(migrated, how):
        assert keeper.ask("sell") == {"outcome": "JOURNALED"}
        told = keeper.ask("calls")
        assert told["update_position"] == told["compute"] == {"outcome": "DEFERRED"}
        assert told["mark_to_market"] == {"done": False, "positions": None}
        assert told["calculate_pnl"] == BEFORE
        assert told["by_symbol"] == {"keys": ["AAPL"], "as_of": True, "stale": True}
        assert told["close_period"] == told["rebuild"] == STEP
        assert told["never_asked_before"] == UNKNOWN
        assert told["slowest"] < 2 * PATIENT_DEADLINE_SECONDS
    assert keeper.ask("flush") == {"flushed": True}
    told = keeper.ask("calls")
    assert told["close_period"]["raised"] == "PeriodClosedError"
    # The sale was booked by the first call that came: it was made up for.
    assert told["update_position"]["outcome"] in {"STORED", "DUPLICATE"}
    assert told["calculate_pnl"] == {"realized": "35", "total": "35", "net": "34", "as_of": True, "stale": False}
    assert told["rebuild"] == {"differences": 0}


def test_with_the_database_down_from_the_start_nothing_is_known_and_nothing_raises(migrated) -> None:
    migrated.stop()
    keeper = Keeper(migrated)
    assert keeper.ask("trade") == {"outcome": "JOURNALED"}
    told = keeper.ask("calls")
    assert told["update_position"] == told["compute"] == {"outcome": "DEFERRED"}
    assert told["calculate_pnl"] == UNKNOWN
    assert told["by_symbol"] == {"keys": [], "as_of": False, "stale": True}
    assert told["close_period"] == told["rebuild"] == STEP
    keeper.process.stdin.close()
    keeper.process.wait(timeout=240)
    keeper.process.stdout.close()
