"""The circuit breaker, on a clock of the test's own: a day of outages in a moment."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from friren.persistence.circuit import Circuit, State
from friren.persistence.settings import PROBE_SECONDS_FIRST, PROBE_SECONDS_MAX, PROBE_SECONDS_MIN


class World:
    """A clock, and a server that is up or down."""

    def __init__(self, jitter=lambda: 1.0) -> None:
        self.now = 1000.0
        self.up = True
        self.probes = []
        self.circuit = Circuit(clock=lambda: self.now, jitter=jitter)

    def call(self) -> bool:
        """What a recorder does; returns whether the server was asked."""
        if not self.circuit.closed:
            return False
        if not self.up:
            self.circuit.failed()
        return True

    def background(self) -> None:
        if self.circuit.begin_probe():
            self.probes.append(self.now)
            if self.up:
                self.circuit.succeeded()
            else:
                self.circuit.failed(probe=True)

    def wait(self, seconds: float) -> None:
        """Let time pass, the background looking whenever a probe is due."""
        until = self.now + seconds
        while (left := self.circuit.seconds_to_probe()) is not None and self.now + left <= until:
            self.now += left
            self.background()
        self.now = until


def test_a_failed_connection_opens_it_and_nobody_asks_any_more() -> None:
    world = World()
    world.up = False
    assert world.call()
    assert not world.call()
    assert world.circuit.state is State.OPEN


def test_only_the_first_report_of_a_failure_opens_it() -> None:
    circuit = World().circuit
    assert circuit.failed()
    due = circuit.seconds_to_probe()
    assert not circuit.failed()
    assert circuit.seconds_to_probe() == due


def test_one_probe_at_a_time() -> None:
    world = World()
    world.circuit.failed()
    world.now += PROBE_SECONDS_MAX
    assert world.circuit.begin_probe()
    assert not world.circuit.begin_probe()
    assert world.circuit.state is State.HALF_OPEN


def test_a_late_report_does_not_end_the_probe_that_is_under_way() -> None:
    world = World()
    world.circuit.failed()
    world.now += PROBE_SECONDS_MAX
    assert world.circuit.begin_probe()
    assert not world.circuit.failed()
    assert world.circuit.state is State.HALF_OPEN
    world.circuit.failed(probe=True)
    assert round(world.circuit.seconds_to_probe(), 6) == 2 * PROBE_SECONDS_FIRST


def test_the_pause_doubles_to_its_ceiling() -> None:
    world = World()
    world.up = False
    world.call()
    world.wait(3)
    pauses = [round(b - a, 6) for a, b in zip(world.probes, world.probes[1:], strict=False)]
    assert pauses[:4] == [2 * PROBE_SECONDS_FIRST, 4 * PROBE_SECONDS_FIRST, 8 * PROBE_SECONDS_FIRST, PROBE_SECONDS_MAX]
    assert set(pauses[4:]) == {PROBE_SECONDS_MAX}


def test_a_year_of_failures_is_no_overflow() -> None:
    circuit = Circuit(clock=lambda: 0.0, jitter=lambda: 0.0)
    circuit.failed()
    for _ in range(5000):
        circuit._probe_at = 0.0
        assert circuit.begin_probe()
        circuit.failed(probe=True)
    assert circuit.succeeded()


steps = st.lists(
    st.tuples(st.sampled_from(["up", "down", "call", "late failure", "wait"]), st.floats(0, 30, width=32)), max_size=60
)


@settings(max_examples=500, deadline=None)
@given(steps, st.randoms(use_true_random=False))
def test_no_schedule_leaves_it_open_or_probes_without_bound(schedule, random) -> None:
    world = World(jitter=random.random)
    began = world.now
    for what, seconds in schedule:
        if what == "wait":
            world.wait(seconds)
        elif what == "late failure":
            world.circuit.failed()
        elif what == "call":
            world.call()
        else:
            world.up = what == "up"
        assert world.circuit.state in {State.CLOSED, State.OPEN}  # a probe always ends
    assert len(world.probes) <= (world.now - began) / PROBE_SECONDS_MIN + 1
    assert all(b - a >= PROBE_SECONDS_MIN - 1e-6 for a, b in zip(world.probes, world.probes[1:], strict=False))
    # However it went: once the server is back it is found within the ceiling.
    world.up = True
    world.wait(PROBE_SECONDS_MAX + 1e-6)
    assert world.circuit.closed
    assert world.call()


def test_it_knows_for_how_long_it_has_been_open() -> None:
    world = World()
    assert world.circuit.seconds_open == 0
    world.up = False
    world.call()
    world.wait(3)
    assert world.circuit.seconds_open == 3
    world.up = True
    world.wait(PROBE_SECONDS_MAX)
    assert world.circuit.seconds_open == 0
