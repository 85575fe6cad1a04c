"""Time that a promise is measured in: seconds without those in which a busy machine let others run instead."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

__all__ = ["Stopwatch"]

_THREADS = Path("/proc/self/task")


class Stopwatch:
    """
    Begins when it is made.

    Attributes:
        seconds: what a clock on the wall says.
        own: the same without the time in which a thread of this process was ready to run and got no processor:
            what a machine of its own would have taken. Where the kernel does not tell it, the same as `seconds`.
    """

    def __init__(self) -> None:
        self._waited = _waited()
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def own(self) -> float:
        seconds = self.seconds
        now = _waited()
        return seconds - sum(waited - self._waited.get(thread, 0) for thread, waited in now.items()) / 1e9


def _waited() -> dict[str, int]:
    """Return the nanoseconds that each thread of this process has waited for a processor, and those stolen from all."""
    found = {}
    # Not on other systems; and a thread may have ended meanwhile.
    with contextlib.suppress(OSError):
        for thread in _THREADS.iterdir():
            with contextlib.suppress(OSError):
                found[thread.name] = int((thread / "schedstat").read_text().split()[1])
        stolen = Path("/proc/stat").read_text().split(maxsplit=9)[8]
        found["stolen"] = int(stolen) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return found
