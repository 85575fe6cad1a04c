"""Processes that fork, spawn, end and are ended: no shared connection, no place lost, nothing lost, nothing twice."""

from __future__ import annotations

import pytest

from tests.faults import bank, processes
from tests.faults.crew import Crew
from tests.faults.ground import own_server
from tests.postgres import FAST

pytestmark = pytest.mark.slow

SEED = 20261120


@pytest.fixture(scope="module")
def crew():
    """On a server of its own, with patience for a busy machine; what the two experiments log is told apart by venue."""
    with own_server(**FAST) as ground, Crew(ground, FRIREN_WRITE_DEADLINE="10") as made:
        yield made


def test_forks_spawned_children_gunicorn_short_threads_cancelled_calls_and_sigterm(crew) -> None:
    result = processes.through_all(crew, sizes=processes.SMALL, seed=SEED)
    assert result.wrong == [], result
    assert result.findings.acknowledged > 300
    assert result.figures["outcomes"]["JOURNALED"] > 0


def test_the_bank_loses_and_makes_no_money_whoever_is_killed(crew) -> None:
    result = bank.bank(crew, rounds=3, seed=SEED)
    assert result.wrong == [], result
    assert result.figures["killed"] > 0
