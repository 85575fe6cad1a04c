"""Processes that fork, spawn, end and are ended: no shared connection, no place lost, nothing lost, nothing twice."""

from __future__ import annotations

import pytest

from tests.faults import processes
from tests.faults.ground import own_server
from tests.postgres import FAST

pytestmark = pytest.mark.slow

SEED = 20261120


def test_forks_spawned_children_gunicorn_short_threads_and_cancelled_calls(ground) -> None:
    result = processes.through_all(ground, sizes=processes.SMALL, seed=SEED)
    assert result.wrong == [], result
    assert result.findings.acknowledged > 300


def test_sigterm_with_a_backlog_leaves_it_to_the_next_process() -> None:
    with own_server(**FAST) as alone:
        result = processes.terminated(alone, cycles=4, seed=SEED)
    assert result.wrong == [], result
    assert result.figures["outcomes"]["JOURNALED"] > 0
