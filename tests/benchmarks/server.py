"""What the server computes, and what a commit waits for: neither is seen from the calling process."""

from __future__ import annotations

import contextlib
import functools
import os
import statistics
import tempfile
import time
from pathlib import Path

from tests import postgres as harness

__all__ = ["computed_since", "flush_microseconds", "server_seconds"]

FLUSHES = 300


def server_seconds() -> dict[int, float]:
    """What each process of the server has computed so far, in seconds; nothing where the system does not tell."""
    found = {}
    with contextlib.suppress(OSError, IndexError):
        main = _main_process()
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for process in (main, *map(int, children)):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                found[process] = int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9
    return found


def computed_since(before: dict[int, float]) -> float:
    """What the server has computed since, in seconds, but for processes that have ended."""
    return sum(seconds - before.get(process, 0.0) for process, seconds in server_seconds().items())


@functools.cache
def _main_process() -> int:
    return int((harness.location().data / "postmaster.pid").read_text().split()[0])


def flush_microseconds() -> float:
    """The median time of an fdatasync where the server keeps its data: what a commit waits for at least."""
    taken = []
    with tempfile.NamedTemporaryFile(dir=harness.location().root) as file:
        handle = file.fileno()
        os.write(handle, bytes(8192))
        os.fsync(handle)
        for number in range(FLUSHES):
            os.pwrite(handle, bytes([number % 256]) * 8192, 0)
            begun = time.perf_counter()
            os.fdatasync(handle)
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e6
