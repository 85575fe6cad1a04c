"""
How long the calls took that wait for the database by nature: reads, and `flush`. See docs/decisions/0044.

Calls that record are not timed: they have a deadline, and every microsecond of theirs is a promise. Counts are kept
per process and told by a small file beside the journal, for the programs that trade are not the one that is asked.
"""

from __future__ import annotations

import atexit
import bisect
import contextlib
import functools
import inspect
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from friren.core.ids import new_id

__all__ = ["BOUNDS", "CallTimes", "Told", "folder", "taken_here", "time_reads", "timed"]

Function = TypeVar("Function", bound=Callable[..., Any])

# Seconds. From a read that finds its rows in the server's memory to one that waits until its deadline.
BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# The file lags by this much at most while calls are made.
TELL_SECONDS: Final = 10.0
_READS: Final = ("get_", "latest", "current_", "calculate_", "open_orders", "regime_at", "bars")


class CallTimes(msgspec.Struct):
    """
    The calls of one method.

    Attributes:
        counts: how many took up to each of BOUNDS, but longer than the one before it; the last took longer than all.
        seconds: of all calls together.
    """

    service: str
    method: str
    counts: list[int]
    seconds: float = 0.0


class Told(msgspec.Struct):
    """What the file of a process says: its id in the operating system, and its calls."""

    pid: int
    calls: list[CallTimes]


class _Process:
    """What this process has counted. A forked child begins anew."""

    def __init__(self) -> None:
        # One that its holder may take again: the handler of a signal may flush while this thread counts.
        self.lock = threading.RLock()
        self.calls: dict[tuple[str, str], CallTimes] = {}
        self.name = f"{new_id()}.json"
        self.told_at = time.monotonic()

    def add(self, service: str, method: str, seconds: float) -> None:
        with self.lock:
            found = self.calls.get((service, method))
            if found is None:
                found = self.calls[service, method] = CallTimes(service, method, [0] * (len(BOUNDS) + 1))
            found.counts[bisect.bisect_left(BOUNDS, seconds)] += 1
            found.seconds += seconds
            now = time.monotonic()
            if now - self.told_at < TELL_SECONDS:
                return
            self.told_at = now
        # No caller waits for a disk. A system that has no thread to give, or an interpreter that ends, costs figures.
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=self.tell, name="friren-call-times", daemon=True).start()

    def tell(self) -> None:
        """Write the file anew, whole; a disk that refuses costs figures, and nobody's call."""
        with self.lock:
            payload = msgspec.json.encode(Told(os.getpid(), list(self.calls.values()))) if self.calls else b""
        if not payload:
            return
        with contextlib.suppress(OSError):
            place = folder()
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = place / f".{self.name}"
            draft.write_bytes(payload)
            draft.replace(place / self.name)


_here = _Process()


def timed(method: Function) -> Function:
    """Count how long the calls of a method of a service take."""
    name = method.__name__

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return method(self, *args, **kwargs)
        finally:
            _here.add(type(self).__name__, name, time.perf_counter() - began)

    return call  # type: ignore[return-value]  # the same signature, by wraps


def time_reads(cls: type) -> None:
    """Count the calls of every method that `cls` itself defines and that only reads, by its name."""
    for name, method in list(vars(cls).items()):
        if name.startswith(_READS) and inspect.isfunction(method) and not inspect.iscoroutinefunction(method):
            setattr(cls, name, timed(method))


def taken_here() -> list[CallTimes]:
    """Return what this process has counted."""
    with _here.lock:
        return msgspec.convert(msgspec.to_builtins(list(_here.calls.values())), list[CallTimes])


def folder() -> Path:
    """Return where the processes of this installation tell their times."""
    from django.conf import settings

    return Path(settings.FRIREN_HOME) / "call_times"


def _tell_at_exit() -> None:
    _here.tell()


def _begin_anew() -> None:
    global _here  # noqa: PLW0603 - the counts are the parent's, and so may the lock be
    _here = _Process()


atexit.register(_tell_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
