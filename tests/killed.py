"""Work that is killed with -9 when it comes by a place, in a process of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from django.db import connections

from tests.faults.failpoints import replace

__all__ = ["ALL_KILLS", "killed"]

# Whether processes are killed at every step, which takes minutes, and not at one of each kind.
ALL_KILLS = bool(os.environ.get("FRIREN_TEST_ALL_KILLS"))


def killed(work: Callable[[], object], place: str, moment: str, call: int = 1) -> None:
    """Do `work` in a process that is killed when it comes by a place."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            replace(place, lambda really: _deadly(really, moment, call))
            work()
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the process did not come by {place}"
    assert os.WTERMSIG(status) == signal.SIGKILL


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
