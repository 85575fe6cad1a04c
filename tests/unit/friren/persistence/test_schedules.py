"""Deadlines, retries, probes and waits, in schedules of trouble that pass in virtual time."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from friren.persistence.circuit import Circuit
from friren.persistence.recorder import Recorder
from friren.persistence.settings import (
    DRAINED_SILENCE_SECONDS,
    PATIENT_DEADLINE_SECONDS,
    PROBE_SECONDS_FIRST,
    PROBE_SECONDS_MAX,
    PROBE_SECONDS_MIN,
    RETRIES_MAX,
    RETRY_PAUSE_SECONDS,
)
from tests.faults import schedules
from tests.faults.fake_server import AWAY, CODES, OF_CONNECTIONS, Span

SEED = 20261120
# `python -m tests.faults schedules` runs thousands.
COUNT = 100


@pytest.fixture(autouse=True)
def _quiet(caplog):
    caplog.set_level(logging.CRITICAL + 1, logger="friren")


def test_whatever_happens_no_call_waits_too_long_and_the_way_back_is_found() -> None:
    schedules.many(COUNT, seed=SEED)


@settings(max_examples=30)
@given(schedules.scripts("up", "slow", *CODES), st.integers(0, 2**32))
def test_an_error_that_is_no_connections_never_opens_the_circuit(script, chance) -> None:
    world = schedules.World(script, seed=chance)
    world.run()
    world.check()
    assert world.opened == []


@pytest.mark.parametrize("state", [*AWAY, *OF_CONNECTIONS])
def test_a_connection_that_breaks_opens_it(state) -> None:
    world = schedules.World([Span("up", 0.5), Span(state, 1.0)], seed=SEED)
    world.run()
    world.check()
    assert world.opened


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57014"])
def test_passing_trouble_is_tried_again_after_a_pause_of_full_jitter(state) -> None:
    world = schedules.World([Span(state, 5.0)], seed=SEED)
    world.run()
    world.check()
    assert max(len(call.tries) for call in world.calls) == RETRIES_MAX + 1
    pauses = sorted(pause / RETRY_PAUSE_SECONDS for pause in world.pauses)
    assert 0 <= pauses[0] < 0.1
    assert 0.9 < pauses[-1] < 1.001
    assert 0.4 < pauses[len(pauses) // 2] < 0.6


@given(st.integers(1, 100), st.floats(0, 1))
def test_the_pause_of_a_probe_is_chances_share_of_a_ceiling_that_doubles_to_half_a_second(failures, chance) -> None:
    circuit = Circuit(clock=lambda: 0.0, jitter=lambda: chance)
    circuit.failed()
    for _ in range(failures):
        circuit._probe_at = 0.0
        assert circuit.begin_probe()
        circuit.failed(probe=True)
    ceiling = min(PROBE_SECONDS_MAX, PROBE_SECONDS_FIRST * 2**failures)
    assert circuit.seconds_to_probe() == max(PROBE_SECONDS_MIN, ceiling * chance)


@settings(max_examples=30)
@given(schedules.scripts("up", *AWAY), st.floats(0, 20), st.integers(0, 2**32))
def test_who_waits_for_the_drain_is_told_in_time_whether_all_is_stored(script, timeout, chance) -> None:
    world = schedules.World(script, seed=chance)
    for _ in range(5):
        world.call()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("friren.persistence.recorder.engine_for", lambda _using: world.engine)
        began = world.clock.now()
        stored = Recorder().drained(timeout)
        took = world.clock.now() - began
        backlog = world.engine.backlog
    world.end()
    assert stored is (backlog == 0)
    assert took <= timeout + PATIENT_DEADLINE_SECONDS + schedules.CLOSE
    assert stored or took >= min(timeout, DRAINED_SILENCE_SECONDS) - schedules.CLOSE


@settings(max_examples=100)
@given(schedules.scripts("up", *AWAY), st.integers(0, 2**32))
def test_what_was_waited_for_can_be_read_then(script, chance) -> None:
    """The drainer may find the server before the callers' own probe is due."""
    world = schedules.World(script, seed=chance)
    while world.engine.circuit.closed and world.clock.now() < world.server.lifted_at:
        world.call()
    behind = world.engine.backlog
    done = world.engine.flush(120)
    answers = world.engine.circuit.closed
    world.end()
    assert done
    assert answers or not behind


def _never_closes(_circuit) -> bool:
    return False


@pytest.mark.parametrize(
    ("place", "wrong", "complaint"),
    [
        ("friren.persistence.circuit.Circuit.succeeded", _never_closes, "nothing is stored"),
        ("friren.persistence.direct.DATABASE_SHARE", 2.0, "waited past its deadline"),
        ("friren.persistence.direct.RETRIES_MAX", 9, "tried too often"),
        ("friren.persistence.circuit.PROBE_SECONDS_MAX", 3.0, "no pause of a probe"),
    ],
)
def test_a_wrong_one_is_caught(monkeypatch, place, wrong, complaint) -> None:
    monkeypatch.setattr(place, wrong)
    with pytest.raises(AssertionError, match=complaint):
        schedules.many(COUNT, seed=SEED, shortest=False)
