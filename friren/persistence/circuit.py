"""
The circuit breaker: while the database does not answer, nobody on a trading thread asks it.

    CLOSED ──connection failed──► OPEN ──probe due──► HALF_OPEN ──answered──► CLOSED
                                   ▲                     │
                                   └──did not answer─────┘

A pure state machine: the clock and the randomness are given, so a test runs a day of outages in a moment.
"""

from __future__ import annotations

import enum
import random
import threading
import time
from collections.abc import Callable

from friren.persistence.settings import PROBE_SECONDS_FIRST, PROBE_SECONDS_MAX, PROBE_SECONDS_MIN

__all__ = ["Circuit", "State"]


class State(enum.Enum):
    """Where the breaker stands."""

    CLOSED = "closed"  # the database answers, as far as is known
    OPEN = "open"  # it does not; the next probe has its time
    HALF_OPEN = "half open"  # a probe is under way


class Circuit:
    """
    Says whether the database may be asked, and when to look again. Safe from any thread.

    Args:
        clock: seconds that only grow.
        jitter: a number from 0 to 1: full jitter keeps the probes of many processes apart.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, jitter: Callable[[], float] = random.random
    ) -> None:
        self._clock, self._jitter = clock, jitter
        self._lock = threading.Lock()
        self._state = State.CLOSED
        self._failures = 0
        self._probe_at = self._opened_at = 0.0

    @property
    def state(self) -> State:
        """Where the breaker stands now."""
        return self._state

    @property
    def closed(self) -> bool:
        """Whether the database may be asked."""
        return self._state is State.CLOSED

    @property
    def seconds_open(self) -> float:
        """For how long the database has not answered; 0 while it does."""
        with self._lock:
            return 0.0 if self._state is State.CLOSED else self._clock() - self._opened_at

    def failed(self, *, probe: bool = False) -> bool:
        """
        Note that a connection failed. Returns whether this opened the circuit.

        Args:
            probe: it was the one that `begin_probe` allowed.
        """
        with self._lock:
            opened = self._state is State.CLOSED
            if not opened and not (probe and self._state is State.HALF_OPEN):
                return False  # a late report of what is known; the probe keeps its time, or is under way
            self._state = State.OPEN
            if opened:
                self._opened_at = self._clock()
            self._failures += 1
            # The exponent is bounded too: 2 to the power of a year of failures is no float.
            ceiling = min(PROBE_SECONDS_MAX, PROBE_SECONDS_FIRST * 2.0 ** min(self._failures - 1, 32))
            self._probe_at = self._clock() + max(PROBE_SECONDS_MIN, ceiling * self._jitter())
            return opened

    def succeeded(self) -> bool:
        """Note that the database answered. Returns whether this closed the circuit."""
        with self._lock:
            closed = self._state is not State.CLOSED
            self._state = State.CLOSED
            self._failures = 0
            return closed

    def begin_probe(self) -> bool:
        """Return whether the caller is to probe now; the caller then owes `succeeded` or `failed(probe=True)`."""
        with self._lock:
            if self._state is not State.OPEN or self._clock() < self._probe_at:
                return False
            self._state = State.HALF_OPEN
            return True

    def hasten(self) -> None:
        """Let the next probe begin now: somebody else was answered."""
        with self._lock:
            if self._state is State.OPEN:
                self._probe_at = self._clock()

    def seconds_to_probe(self) -> float | None:
        """Return how long until a probe is due, None while none will be."""
        with self._lock:
            return max(0.0, self._probe_at - self._clock()) if self._state is State.OPEN else None
