"""
Schedules of trouble, made up by hypothesis and run in virtual time through the real circuit, pool, retries and waits.

No server, no disk, no sleeping: the database is a script and the clock goes on when everybody waits.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import hypothesis
from django.db import connections
from hypothesis import strategies as st

from friren.core.ids import new_id
from friren.persistence.circuit import State
from friren.persistence.direct import Direct
from friren.persistence.engine import Engine
from friren.persistence.facts import Fact
from friren.persistence.settings import (
    DATABASE_SHARE,
    DRAIN_RETRY_SECONDS_MAX,
    PROBE_SECONDS_MAX,
    PROBE_SECONDS_MIN,
    RETRIES_MAX,
)
from tests.faults.fake_server import (
    ANSWER_SECONDS,
    AWAY,
    CODES,
    OF_CONNECTIONS,
    FakeServer,
    MemoryJournal,
    ScriptedDrainer,
    Span,
)
from tests.faults.virtual_time import VirtualClock

__all__ = ["Call", "World", "many", "scripts"]

# How soon after the script is over a call is stored again, and all that was journaled.
BACK_SECONDS = 1.0
# As it is unless configured otherwise, and it is for tests.
DEADLINE_SECONDS = 0.25
CALLERS = 3
THINK_SECONDS = 0.08
CLOSE = 1e-6


@dataclasses.dataclass
class Call:
    """One logger call: when it began and ended, whether it was stored, and when it tried."""

    began: float
    ended: float = 0.0
    stored: bool = False
    tries: list[float] = dataclasses.field(default_factory=list)


class _Engine(Engine):
    """The real one, but for its journal, which lies in memory, and for the journals of others, which there are not."""

    def __init__(self, server: FakeServer, clock: VirtualClock) -> None:
        self._server = server
        direct = partial(Direct, connection=server.connection)
        super().__init__("default", root=Path("/nowhere"), deadline=DEADLINE_SECONDS, direct=direct, clock=clock)

    def _open_journal(self) -> MemoryJournal:
        if self._journal is None:
            self._journal = MemoryJournal(self.producer)
            self._drainer = ScriptedDrainer(self._journal, server=self._server, clock=self.clock)
            self._start(self._drainer.run, "drainer")
        return self._journal

    def _adopt(self) -> None:
        """Nobody else has a journal here."""


class World:
    """
    Callers, the engine, and a server that follows a script.

    Attributes:
        calls: what the callers did.
        opened: moments at which a caller found the circuit not closed.
        wrong: what a thread saw that must not be.
    """

    def __init__(self, script: Sequence[Span], *, seed: int) -> None:
        self.clock = VirtualClock(seed)
        self.server = FakeServer(self.clock, script)
        self.engine = _Engine(self.server, self.clock)
        self.server.probing = lambda: self.engine.circuit.state is State.HALF_OPEN
        self.calls: list[Call] = []
        self.opened: list[float] = []
        self.wrong: list[str] = []
        self._chance = random.Random(seed)
        self._over = threading.Event()

    def run(self) -> None:
        """Let the script pass, and a while after it; then end everything."""
        for number in range(CALLERS):
            self.clock.start(threading.Thread(target=self._call_on, name=f"caller-{number}"))
        self.clock.sleep(self.server.lifted_at - self.clock.now() + 2 * BACK_SECONDS)
        self.end()

    def end(self) -> None:
        """End all threads, by the clock that they wait by."""
        self._over.set()
        self.engine._closing.set()
        self.engine._wake()
        if self.engine._drainer is not None:
            self.engine._drainer.stop()
        while self.clock.threads:
            self.clock.sleep(0.1)
        self.engine.close(0.0)

    def _call_on(self) -> None:
        while not self._over.is_set():
            self.call()
            self.clock.sleep(THINK_SECONDS * self._chance.random())

    def call(self) -> Call:
        """Make one logger call, as a recorder does: into the database, or else into the journal."""
        call = Call(self.clock.now())

        def write(alias: str) -> bool:
            call.tries.append(self.clock.now())
            # One that waits has a connection the moment it is made, a little before the circuit closes.
            circuit = self.engine.circuit
            opened_at = self.clock.now() - circuit.seconds_open
            if not circuit.closed and self.server.connected_at < opened_at - CLOSE:
                self.wrong.append(f"{call} asks a database that is known to be away")
            self.server.ask(connections[alias].connection)
            return True

        call.stored = bool(self.engine.store(write))
        call.ended = self.clock.now()
        if not self.engine.circuit.closed:
            self.opened.append(call.ended)
        if not call.stored:
            self.engine.accept(Fact(kind="trade", id=new_id(), values={}), sync=True)
        self.calls.append(call)
        return call

    # --- what must hold

    def check(self) -> None:
        """Assert what is promised of every schedule."""
        assert self.wrong == []
        for call in self.calls:
            until = call.began + DEADLINE_SECONDS * DATABASE_SHARE
            assert call.ended <= until + CLOSE, f"{call} waited past its deadline"
            assert len(call.tries) <= RETRIES_MAX + 1, f"{call} tried too often"
            assert all(moment <= until for moment in call.tries), f"{call} tried after its deadline"
        assert self.server.together <= 1, "two probes at once"
        self._check_probes()
        self._check_drain()
        lifted = self.server.lifted_at
        assert any(
            call.stored and call.ended <= lifted + BACK_SECONDS for call in self.calls if call.began >= lifted
        ), "nothing is stored though the trouble is over"
        assert self.engine.circuit.closed, "the breaker stays open though the trouble is over"
        assert self.engine.backlog == 0, "the journal is not drained though the trouble is over"

    def _check_probes(self) -> None:
        """One after another, never a busy loop, and none later than the ceiling after the one that failed."""
        for (_began, ended, connected), (began, _ended, _connected) in itertools.pairwise(self.server.probes):
            pause = began - ended
            assert connected or PROBE_SECONDS_MIN - CLOSE <= pause <= PROBE_SECONDS_MAX + CLOSE, "no pause of a probe"

    def _check_drain(self) -> None:
        """Tried again within the ceiling after it failed."""
        tries = self.engine._drainer.tries if self.engine._drainer is not None else []
        for (_began, ended, taken), (began, _ended, _taken) in itertools.pairwise(tries):
            assert taken or began - ended <= DRAIN_RETRY_SECONDS_MAX + CLOSE, "the drain is not tried again in time"

    @property
    def pauses(self) -> list[float]:
        """Seconds from the end of a try to the next one of the same call, when the server answers at once."""
        tries = [itertools.pairwise(call.tries) for call in self.calls]
        return [later - sooner - ANSWER_SECONDS for sooner, later in itertools.chain(*tries)]


def scripts(*states: str) -> st.SearchStrategy[list[Span]]:
    """Scripts of a few spans of some states, any of them unless given."""
    names = states or ("up", "slow", *AWAY, *OF_CONNECTIONS, *CODES)
    return st.lists(st.builds(Span, st.sampled_from(names), st.floats(0.001, 1.5)), max_size=6)


def many(count: int, *, seed: int, shortest: bool = True) -> None:
    """
    Run `count` schedules.

    Args:
        shortest: look for the shortest schedule that breaks a promise.

    Raises:
        AssertionError: with a schedule that does.
    """
    phases = list(hypothesis.Phase) if shortest else [hypothesis.Phase.generate]

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count, deadline=None, database=None, phases=phases,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(scripts(), st.integers(0, 2**32))
    def schedule(script: list[Span], chance: int) -> None:
        world = World(script, seed=chance)
        world.run()
        world.check()

    schedule()
