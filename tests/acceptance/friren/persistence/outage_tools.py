"""Logging processes beside a server that goes away, and what is to be found afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import ROOT
from tests.servers import command_environment, throw_away_server

SCRIPT = Path(__file__).with_name("logging_process.py")


class Logger:
    """A logging process, and the words exchanged with it."""

    def __init__(self, server, *arguments: str, **changes: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *arguments],
            env=command_environment(server.home, **server.environment(PYTHONPATH=str(ROOT), **changes)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> str:
        return self.process.stdout.readline().strip()

    def expect(self, word: str) -> None:
        said = self.hear()
        assert said == word, said + self.process.stderr.read()

    def say(self, word: str) -> None:
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def ask(self, word: str) -> dict:
        self.say(word)
        return json.loads(self.hear())

    def end(self) -> tuple[dict, str]:
        """What it said last, and what it logged."""
        out, err = self.process.communicate(timeout=240)
        assert self.process.returncode == 0, err
        return (json.loads(out.splitlines()[-1]) if out.strip() else {}), err


@pytest.fixture
def migrated():
    yield from throw_away_server(migrated=True)


@pytest.fixture
def logger(migrated):
    begun = []

    def begin(*arguments: str, **changes: str) -> Logger:
        begun.append(Logger(migrated, *arguments, **changes))
        return begun[-1]

    yield begin
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def stored(server) -> dict[str, int]:
    with server.connect() as connection:
        rows = connection.execute(
            "SELECT external_id, count(*) FROM trading_engine_trade GROUP BY external_id ORDER BY 1"
        )
        return dict(rows.fetchall())


def account_of_records(server) -> dict[str, int]:
    """Σ over all producers of what the cursors say."""
    with server.connect() as connection:
        row = connection.execute(
            "SELECT coalesce(sum(seq), 0), coalesce(sum(stored), 0), coalesce(sum(duplicates), 0), "
            "coalesce(sum(dead_lettered), 0) FROM persistence_journalcursor"
        ).fetchone()
    return dict(zip(("seq", "stored", "duplicates", "dead_lettered"), map(int, row), strict=True))


def replay(server) -> dict:
    done = server.manage("replay", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
