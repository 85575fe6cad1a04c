"""Work that is killed with -9 when it comes by a place, in a process of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Final

from django.db import connections

from tests.faults.failpoints import replace

__all__ = ["ALL_KILLS", "ended_by_kill", "forked", "killed", "killed_at"]

# What a process ends with that did not come by its place.
_PASSED: Final = 7

# Whether processes are killed at every step, which takes minutes, and not at one of each kind.
ALL_KILLS = bool(os.environ.get("FRIREN_TEST_ALL_KILLS"))


def killed(work: Callable[[], object], place: str, moment: str, call: int = 1) -> None:
    """Do `work` in a process that is killed when it comes by a place."""
    assert killed_at(work, place, moment, call), f"the process did not come by {place}"


def killed_at(work: Callable[[], object], place: str, moment: str, call: int = 1) -> bool:
    """Do `work` in a process that is killed when it comes by a place for the `call`-th time; return whether it did."""

    def to_the_place() -> None:
        replace(place, lambda really: _deadly(really, moment, call))
        work()

    return ended_by_kill(forked(to_the_place))


def forked(work: Callable[[], object]) -> int:
    """Do `work` in a forked process; return its number."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(_PASSED)
    return child


def ended_by_kill(child: int) -> bool:
    """Wait for the end of a `forked` process; return whether it was killed."""
    _pid, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == _PASSED
    return False


def _deadly(really: Callable, moment: str, call: int) -> Callable:
    left = call

    def deadly(*arguments, **options):
        nonlocal left
        left -= 1
        if left == 0 and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if left == 0 and moment == "half":
            source, target, *_size = arguments
            half = source.read(50_000)
            # SQL is cut where a statement ends: what came so far is a script that could be committed.
            target.write(half[: half.find(b"\n\n\n--", 25_000)])
            target.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        result = really(*arguments, **options)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return deadly
