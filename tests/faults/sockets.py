"""The connections that a process has open, as the kernel and the recorder know them."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

__all__ = ["connections_of", "pools_at_rest"]


def connections_of(pid: int | str = "self") -> set[int]:
    """Return the sockets of a process by their number in the kernel, those left out that it listens on."""
    named = {
        int(line.split()[6])
        for line in Path("/proc/net/unix").read_text().splitlines()[1:]
        if len(line.split()) > 7  # a client's end has no path
    }
    found = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            kind, _, number = str(handle.readlink()).partition(":")
            if kind == "socket":
                found.add(int(number.strip("[]")))
    return found - named


def pools_at_rest() -> list[dict[str, Any]]:
    """Return what stands in the recorder's pools of this process once nobody uses them: a place that is out is lost."""
    from friren.persistence.engines import existing

    until = time.monotonic() + 10
    while True:
        found = [
            {"open": pool.open, "ready": len(pool._ready), "waiting": pool._wanted}
            for engine in existing()
            for pool in (engine._writes.pool, engine._patient.pool)
        ]
        if all(one["open"] == one["ready"] and not one["waiting"] for one in found) or time.monotonic() > until:
            return found
        time.sleep(0.01)
