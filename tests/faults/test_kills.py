"""Processes killed at any moment and at every named one: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import pytest

from tests.faults import kills

pytestmark = pytest.mark.slow

# Enough to find a fault of a change within a minute; `python -m tests.faults` runs 1,000 and 20.
CYCLES = 100
CYCLES_EACH = 5
SEED = 20261120


def test_killed_at_any_moment(ground) -> None:
    result = kills.at_random(ground, cycles=CYCLES, seed=SEED)
    assert result.wrong == [], result
    assert result.figures["killed"] >= CYCLES // 2
    assert result.findings.acknowledged > 10 * CYCLES
    assert result.findings.unknown_stored > 0  # else no kill came between the write and the acknowledgement


def test_killed_at_every_failpoint(ground) -> None:
    result = kills.at_failpoints(ground, cycles=CYCLES_EACH, seed=SEED)
    assert result.wrong == [], result


def test_killed_again_and_again_in_journal_mode(ground) -> None:
    result = kills.in_journal_mode(ground, cycles=5, facts=2_000, seed=SEED)
    assert result.wrong == [], result
    assert result.findings.acknowledged >= 2_000
    assert result.figures["killed"] == 5
