"""kill -9 while a base is made, while backups and WAL are removed, and while a moment is restored."""

from __future__ import annotations

import sys

import pytest

from tests.archived import archiving_server, connected
from tests.killed import ALL_KILLS
from tests.recovery.ground import make_world
from tests.recovery.kills import MAKING, REMOVING, RESTORING, kill_making, kill_removing, kill_restoring

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="fork and SIGKILL are POSIX")


def some(places: list, *wanted: int) -> list:
    """One step of each kind; `python -m tests.recovery` takes all."""
    return places if ALL_KILLS else [places[number] for number in wanted]


def test_nothing_is_ever_half_there(database) -> None:
    with archiving_server() as archiving, connected(archiving):
        world = make_world(archiving, moments=1, seed=3, seconds=0.3)

        assert kill_restoring(world, some(RESTORING, 5)) == []
        assert kill_making(world, some(MAKING, 7)) == []
        assert kill_removing(world, some(REMOVING, 7)) == []
