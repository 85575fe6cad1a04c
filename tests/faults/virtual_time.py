"""A clock that only passes when everybody waits: threads run one at a time, hours take moments, and chance is given."""

from __future__ import annotations

import dataclasses
import math
import random
import threading
from collections.abc import Callable

from friren.persistence.clock import Clock

__all__ = ["VirtualClock"]


@dataclasses.dataclass(eq=False)
class _Parked:
    """A thread that waits, until a moment or until it is ready."""

    until: float
    ready: Callable[[], bool]
    turn: threading.Semaphore = dataclasses.field(default_factory=lambda: threading.Semaphore(0))


class VirtualClock(Clock):
    """
    Time, chance and the order of threads, all of which follow from a seed.

    One thread runs at a time: when it waits, another one whose wait is over has its turn, whichever chance picks; when
    there is none, the clock goes on to the next moment that anybody waits for.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._now = 1000.0
        self._parked: list[_Parked] = []
        self.threads = 0

    def now(self) -> float:
        return self._now

    def jitter(self) -> float:
        return self._chance.random()

    def sleep(self, seconds: float) -> None:
        self.park(self._now + seconds)

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        self.park(math.inf if timeout is None else self._now + timeout, event.is_set)
        return event.is_set()

    def wait_for(self, condition: threading.Condition, met: Callable[[], bool], timeout: float) -> bool:
        condition.release()
        try:
            self.park(self._now + timeout, met)
        finally:
            condition.acquire()
        return met()

    def start(self, thread: threading.Thread) -> None:
        begin = _Parked(self._now, lambda: True)
        self._parked.append(begin)
        self.threads += 1
        really = thread.run

        def run() -> None:
            begin.turn.acquire()
            try:
                really()
            finally:
                self.threads -= 1
                self._pass_on()

        thread.run = run
        thread.start()

    def park(self, until: float, ready: Callable[[], bool] = lambda: False) -> None:
        """Let others run until a moment, or until `ready()`."""
        if ready():
            return
        me = _Parked(until, ready)
        self._parked.append(me)
        self._pass_on()
        me.turn.acquire()

    def _pass_on(self) -> None:
        able = [one for one in self._parked if one.ready()]
        if not able:
            self._now = max(self._now, min(one.until for one in self._parked))
            able = [one for one in self._parked if one.until <= self._now]
        chosen = self._chance.choice(able)
        self._parked.remove(chosen)
        chosen.turn.release()
