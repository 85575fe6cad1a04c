"""What a trading call takes while PostgreSQL is away or swallowed by the network, and what the longest waited for."""

from __future__ import annotations

import bisect
import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.faults.commits import proxied
from tests.faults.crew import Child, Crew
from tests.faults.ground import Ground
from tests.faults.kills import Result, judge, taken
from tests.faults.outages import TRADE, made
from tests.faults.proxy import FaultProxy

__all__ = ["in_trouble"]

P99_SECONDS = 0.010
P999_SECONDS = 0.050
# Calls before the trouble, so that connections and journal are there; and the shortest time from call to call.
WARM = 200
PACE = 0.001
# How soon after the trouble begins a call finds out.
FOUND_SECONDS = 1.0
# Syncs of a record's size with nobody else of ours at work: what the disk itself takes.
DISK_SYNCS = 500
CASES: Final = [
    (mode, durability, trouble)
    for trouble in ("stopped", "black hole")
    for mode, durability in (("direct", None), ("direct", "os"), ("journal", None), ("journal", "os"))
]


def in_trouble(ground: Ground, proxy: FaultProxy, *, calls: int) -> Result:
    """Log `calls` trades in each mode, with and without sync, from one thread, while the server does not answer."""
    troubles = {
        "stopped": (ground.server.stop, ground.server.start),
        "black hole": (proxy.swallow, proxy.release),
    }
    history, figures, wrong = [], {}, []
    with Crew(ground, **proxied(ground, proxy)) as crew:
        for number, (mode, durability, trouble) in enumerate(CASES):
            options = {
                "mode": mode,
                "durability": durability,
                "count": calls + WARM,
                "only": TRADE,
                "pace": PACE,
                "flush": 120,
            }
            with crew.at_work("log_and_time", number=number, options=options) as child:
                began, ended = _through(child, *troubles[trouble], calls=calls)
                child.wait()
            told = json.loads(Path(f"{child.log}.waits").read_text())
            history += taken(child)
            name = f"{mode}, {durability or 'sync'}, {trouble}"
            figures[name] = _told(told, began, ended)
            wrong += [f"{name}: {line}" for line in _complaints(figures[name])]
        result = judge(crew, history, books=False)
    result.figures |= figures | {"disk": _quantiles(list(_disk(ground.home)))}
    result.wrong += wrong
    return result


def _through(child: Child, begin: Callable[[], Any], end: Callable[[], Any], *, calls: int) -> tuple[float, float]:
    """Have the trouble while so many calls are made; return when it began and ended."""
    made(child, WARM)
    began = time.monotonic()
    begin()
    made(child, WARM + calls)
    ended = time.monotonic()
    end()
    return began, ended


def _told(told: dict[str, Any], began: float, ended: float) -> dict[str, Any]:
    calls = [call for call in told["calls"] if call["began"] + call["seconds"] > began and call["began"] < ended]
    touches = sorted(told["touches"], key=_begin)
    for call in calls:
        first = bisect.bisect_left(touches, call["began"], key=_begin)
        last = bisect.bisect_left(touches, call["began"] + call["seconds"], key=_begin)
        call["disk"] = sum(to - at - late for _name, at, to, late in touches[first:last])
        call["own"] = max(0.0, call["seconds"] - call["disk"] - call["ran_late"])
    # The one call that finds out waits until its deadline, in direct mode; no second one may.
    early = [call for call in calls if call["began"] < began + FOUND_SECONDS]
    found = next((call for call in early if call["own"] > P999_SECONDS), None)
    rest = [call for call in calls if call is not found]
    syncs = [to - at for name, at, to, _late in touches if name == "datasync" and at >= began]
    return {
        "calls": len(calls),
        "all": _quantiles([call["seconds"] for call in calls]),
        "fdatasync": _quantiles(syncs or [0.0]),
        "own": _quantiles([call["own"] for call in rest]),
        "over": [_cause(call, finder=call is found) for call in calls if call["seconds"] > P999_SECONDS],
    }


def _begin(touch: tuple[str, float, float, float]) -> float:
    return touch[1]


def _cause(call: dict[str, Any], *, finder: bool) -> dict[str, Any]:
    """Return what a call of more than 50 ms waited for, the largest part of it."""
    parts = {"the disk": call["disk"], "the processor": call["ran_late"], "something else": call["own"]}
    cause = "it found the server away" if finder else max(parts, key=lambda name: parts[name])
    milliseconds = {name: round(seconds * 1000, 1) for name, seconds in parts.items()}
    return {"key": call["key"], "ms": round(call["seconds"] * 1000, 1), "cause": cause, **milliseconds}


def _complaints(figures: dict[str, Any]) -> Iterator[str]:
    """Name what is not as promised and is our own doing: neither the disk's nor of who had the processor."""
    if figures["own"]["p99_ms"] > P99_SECONDS * 1000 or figures["own"]["p999_ms"] > P999_SECONDS * 1000:
        yield f"apart from disk and processor calls take {figures['own']}"
    for call in figures["over"]:
        if call["cause"] == "something else":
            yield f"nothing tells what {call} waited for"


def _disk(folder: Path) -> Iterator[float]:
    """Sync a record's size again and again, and tell what each time takes."""
    handle = os.open(folder / "watched", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with contextlib.closing(os.fdopen(handle, "wb", buffering=0)):
        for _ in range(DISK_SYNCS):
            began = time.monotonic()
            os.write(handle, b"x" * 700)
            os.fdatasync(handle)
            yield time.monotonic() - began


def _quantiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    shares = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999, "max_ms": 1.0}
    return {name: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 3)
            for name, share in shares.items()}  # fmt: skip
