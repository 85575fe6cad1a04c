"""Every kind of outage under a process that logs: no exception leaves a logger, and everything counts once."""

from __future__ import annotations

import contextlib

import pytest

from tests.faults import commits, matrix, outages
from tests.faults.ground import own_server
from tests.faults.provocations import FAULTS
from tests.faults.proxy import FaultProxy, Lost

pytestmark = pytest.mark.slow

SEED = 20261120
CALLS = 1_000


@pytest.fixture
def lone():
    """A server of the test's own."""
    with own_server(**matrix.SETTINGS) as made:
        yield made


@pytest.fixture
def proxy(lone):
    with contextlib.closing(FaultProxy(lone.socket)) as made:
        yield made


def test_through_every_kind_of_fault_everything_is_stored_once(lone, proxy) -> None:
    assert len(FAULTS) >= 14
    result = matrix.through_all(lone, proxy, lasts=0.2)
    assert result.wrong == [], result
    assert result.findings.acknowledged > CALLS


def test_commits_that_are_lost_before_after_or_half_way_count_once(lone, proxy) -> None:
    result = commits.lost_commits(lone, proxy, each=6, seed=SEED)
    assert result.wrong == [], result
    assert len(result.figures["lost"]) == 2 * len(Lost)


@pytest.mark.parametrize(
    "how",
    [{"mode": "direct", "kill": True}, {"mode": "mixed", "kill": True, "fork": True}],
    ids=["killed", "killed beside a forked child"],
)
def test_stopped_under_load_the_next_process_finishes_what_the_killed_one_left(lone, how) -> None:
    result = outages.stopped(lone, calls=CALLS, **how)
    assert result.wrong == [], result
    assert result.figures["outcomes"]["JOURNALED"] > 0
