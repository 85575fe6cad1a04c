"""A database that is only a script: it is up, away, swallowed, slow or out of sorts, each for a while."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

import psycopg
from django.db import Error, OperationalError, connections
from psycopg.pq import TransactionStatus

from friren.persistence.deadline import DeadlineExceededError
from friren.persistence.drain import Drained, Drainer
from friren.persistence.journal import Record
from tests.faults.virtual_time import VirtualClock

__all__ = ["AWAY", "CODES", "OF_CONNECTIONS", "FakeServer", "MemoryJournal", "ScriptedDrainer", "Span"]

# What keeps connections from being made or answered.
AWAY: Final = ("refused", "black hole")
# Errors of statements: the session has ended with the first ones, and lives on with the others.
OF_CONNECTIONS: Final = ("57P01", "25006", "25P03")
CODES: Final = ("40001", "40P01", "55P03", "57014", "53100", "53200", "42P01", "42501", "XX000")
CONNECT_SECONDS, CONNECT_TIMEOUT, ANSWER_SECONDS, SLOW_SECONDS = 0.002, 2.0, 0.001, 0.15


@dataclasses.dataclass(frozen=True)
class Span:
    """What is the matter with the server, and for how long."""

    state: str
    seconds: float


class FakeServer:
    """
    Answers as the script has it, on a clock; is up when the script is over.

    Attributes:
        lifted_at: when the script is over.
        asked: when a statement was sent.
        probing: says whether an attempt to connect is a probe.
        probes: when each of those began and ended, and whether it succeeded.
        connected_at: when the last one succeeded.
        together: how many attempts to connect were under way at a time at most.
    """

    def __init__(self, clock: VirtualClock, script: Sequence[Span]) -> None:
        self._clock, self._ends = clock, []
        at = clock.now()
        for span in script:
            at += span.seconds
            self._ends.append((at, span.state))
        self.lifted_at = at
        self.asked: list[float] = []
        self.probes: list[tuple[float, float, bool]] = []
        self.probing: Callable[[], bool] = lambda: False
        self.connected_at = 0.0
        self._connecting = self.together = 0

    @property
    def state(self) -> str:
        """What is the matter now; "up" when nothing is."""
        return next((state for end, state in self._ends if self._clock.now() < end), "up")

    @property
    def outages(self) -> int:
        """How many spans were over or under way by now in which no connection survives."""
        now, begins = self._clock.now(), [0.0, *(end for end, _state in self._ends)]
        return sum(
            state == "refused" and begin <= now for begin, (_end, state) in zip(begins, self._ends, strict=False)
        )

    def connection(self, _using: str, alias: str, *, deadline: float, producer: UUID) -> FakeWrapper:
        """What stands in the place of `bounded_wrapper`."""
        del deadline, producer
        return FakeWrapper(self, alias)

    def connect(self) -> FakeConnection:
        """Return a connection, or raise what Django would."""
        began, probe = self._clock.now(), self.probing()
        self._connecting += 1
        self.together = max(self.together, self._connecting)
        connected = False
        try:
            self._clock.sleep(CONNECT_SECONDS)
            self._swallowed(self._clock.now() + CONNECT_TIMEOUT)
            if self.state in AWAY:
                raise OperationalError("could not connect")
            connected = True
            self.connected_at = self._clock.now()
            return FakeConnection(self.outages)
        finally:
            self._connecting -= 1
            if probe:
                self.probes.append((began, self._clock.now(), connected))

    def _swallowed(self, until: float) -> None:
        """Wait while nothing comes through, until a moment at most."""
        while self.state == "black hole" and self._clock.now() < until:
            self._clock.park(min(until, next(end for end, _state in self._ends if end > self._clock.now())))

    def ask(self, connection: FakeConnection) -> None:
        """Answer a statement, or raise what Django would, at the deadline at the latest."""
        self.asked.append(self._clock.now())
        until = self._clock.now() + (SLOW_SECONDS if self.state == "slow" else ANSWER_SECONDS)
        deadline = connection.deadline_at
        self._clock.park(min(until, deadline))
        self._swallowed(deadline)
        if connection.outages != self.outages or self.state == "refused":
            connection.close()
            raise _django(psycopg.OperationalError("the connection is lost"))
        if self._clock.now() >= deadline:
            connection.close()
            raise _django(DeadlineExceededError("no answer within the deadline"))
        if self.state in OF_CONNECTIONS or self.state in CODES:
            raise _django(psycopg.errors.lookup(self.state)("made by the laboratory"))


def _django(cause: psycopg.Error) -> Error:
    error = OperationalError(str(cause))
    error.__cause__ = cause
    return error


class FakeConnection:
    """As much of a connection as a pool looks at."""

    def __init__(self, outages: int) -> None:
        self.outages = outages
        self.closed = False
        self.deadline_at = 0.0
        self.pgconn = SimpleNamespace(transaction_status=TransactionStatus.IDLE)

    def close(self) -> None:
        self.closed = True


class FakeWrapper:
    """As much of Django's connection as pool, recorder and work look at."""

    in_atomic_block = False

    def __init__(self, server: FakeServer, alias: str) -> None:
        self._server, self.alias = server, alias
        self.connection: FakeConnection | None = None

    def connect(self) -> None:
        self.connection = self._server.connect()

    @contextlib.contextmanager
    def cursor(self) -> Iterator[Any]:
        yield SimpleNamespace(execute=lambda _statement: self._server.ask(connections[self.alias].connection))


class MemoryJournal:
    """A journal whose disk is beyond doubt."""

    def __init__(self, producer: UUID) -> None:
        self.producer, self.address = producer, None
        self._records: list[Record] = []

    @property
    def last_seq(self) -> int:
        return len(self._records)

    def append(self, payload: bytes, *, sync: bool) -> None:
        del sync
        self._records.append(Record(len(self._records) + 1, payload))

    def read(self, from_seq: int, limit: int) -> list[Record]:
        return self._records[from_seq - 1 : from_seq - 1 + limit]

    def drained(self, seq: int) -> None:
        """Take note of it."""

    def close(self) -> None:
        """There is nothing to close."""


class ScriptedDrainer(Drainer):
    """
    The real waits, and batches that the fake server takes.

    Attributes:
        tries: when each try of a batch began and ended, and whether it succeeded.
    """

    def __init__(self, source: MemoryJournal, *, server: FakeServer, clock: VirtualClock) -> None:
        super().__init__(source, clock=clock)
        self._server = server
        self.tries: list[tuple[float, float, bool]] = []

    def drain_once(self) -> Drained:
        began, taken = self._clock.now(), False
        try:
            entries = self._source.read(self._position + 1, self._rows)
            if entries:
                connection = FakeConnection(self._server.outages)
                connection.deadline_at = began + CONNECT_TIMEOUT
                self._server.ask(connection)
                self._note(entries[-1].seq)
            taken = True
            return Drained(stored=len(entries), remaining=self._source.last_seq - self._position)
        finally:
            self.tries.append((began, self._clock.now(), taken))
