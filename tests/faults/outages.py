"""PostgreSQL goes away under load and comes back: everything is stored, once, and the books are those of the fills."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from friren.persistence.journal import journals_under
from tests.faults.crew import Child, Crew
from tests.faults.ground import Ground
from tests.faults.history import Call, Told
from tests.faults.kills import Result, judge, taken
from tests.outages import frozen

__all__ = ["TRADE", "frozen_server", "long_outage", "made", "stopped"]

THREADS = 4
# The step of a round that is a plain log_trade.
TRADE = 2


def stopped(
    ground: Ground, *, mode: str, calls: int, seconds: float = 0.0, kill: bool = False, fork: bool = False
) -> Result:
    """
    Stop PostgreSQL when a third of the calls are made, and start it when two thirds are.

    Args:
        seconds: how long it is away at least.
        kill: kill the logging process before it is started; another one finishes what it left.
        fork: let the logging process have forked a child, which lives on.
    """
    options = {"mode": mode, "threads": THREADS, "count": calls // THREADS, "flush": 120, "outlives": 600}
    task = "log_and_fork" if fork else "log"
    with Crew(ground) as crew, crew.at_work(task, number=1, options=options) as child:
        made(child, calls // 3)
        ground.server.stop()
        away = time.monotonic()
        made(child, calls * 2 // 3)
        time.sleep(max(0.0, away + seconds - time.monotonic()))
        if kill:
            child.kill()
        ground.server.start()
        back = time.monotonic()
        with _forked(child) if fork else contextlib.nullcontext():
            if kill:
                with crew.at_work("log", number=2, options=options | {"count": calls // THREADS // 3}) as other:
                    other.wait()
                history = taken(other)
            else:
                child.wait()
                history = []
            drained = time.monotonic() - back
            history += taken(child)
            result = judge(crew, history)
    result.figures |= {"calls": len(history), "outcomes": outcomes(history), "seconds_to_the_end": round(drained, 1)}
    return result


def made(child: Child, calls: int) -> None:
    """Wait until a child has made so many calls."""
    while child.log.read_bytes().count(b"\nK ") < calls:
        if child.wait(0.02) is not None:
            return


@contextlib.contextmanager
def _forked(child: Child) -> Any:
    """See that the forked child of a child lives, and let it end afterwards."""
    pid = int(Path(f"{child.log}.forked").read_text())
    try:
        yield
        os.kill(pid, 0)  # it was there all the time
    finally:
        os.kill(pid, signal.SIGKILL)


def frozen_server(ground: Ground, *, calls: int, turns: int = 10) -> Result:
    """Freeze the server again and again while trades are logged one after another; note what each call took."""
    options = {"mode": "direct", "threads": 1, "count": calls, "only": TRADE, "timed": True, "flush": 120}
    with Crew(ground) as crew, crew.at_work("log", number=1, options=options) as child:
        for turn in range(turns):
            made(child, (2 * turn + 1) * calls // (2 * turns + 1))
            with frozen(ground.server):
                made(child, (2 * turn + 2) * calls // (2 * turns + 1))
        child.wait()
        times = json.loads(Path(f"{child.log}.times").read_text())
        history = taken(child)
        result = judge(crew, history)
    result.figures |= {"calls": len(history), "outcomes": outcomes(history), **quantiles(times)}
    return result


def long_outage(ground: Ground, *, seconds: float, per_second: int) -> Result:
    """Log at a steady pace through an outage; note how long the drain takes once PostgreSQL is back."""
    count = int(seconds * per_second / THREADS) + per_second
    options = {
        "mode": "direct", "threads": THREADS, "count": count, "only": TRADE, "timed": True, "flush": 120,
        "pace": THREADS / per_second,
    }  # fmt: skip
    with Crew(ground) as crew, crew.at_work("log", number=1, options=options) as child:
        made(child, per_second)
        with _disk_watched(ground.home) as syncs:
            ground.server.stop()
            time.sleep(seconds)
            ground.server.start()
            back = time.monotonic()
            while _backlog(ground):
                time.sleep(0.05)
        drained = time.monotonic() - back
        child.wait()
        times = json.loads(Path(f"{child.log}.times").read_text())
        history = taken(child)
        result = judge(crew, history)
    result.figures |= {"outcomes": outcomes(history), "drained_seconds": round(drained, 1), **quantiles(times)}
    result.figures["disk"] = quantiles(syncs)
    return result


@contextlib.contextmanager
def _disk_watched(folder: Path) -> Iterator[list[tuple[float, str, float]]]:
    """Note what the disk takes to sync a record meanwhile, when nobody but the disk is asked."""
    found: list[tuple[float, str, float]] = []
    done = threading.Event()

    def watch() -> None:
        handle = os.open(folder / "watched", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        while not done.wait(0.01):
            began = time.monotonic()
            os.write(handle, b"x" * 700)
            os.fdatasync(handle)
            found.append((time.monotonic() - began, "sync", began))
        os.close(handle)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()


def _backlog(ground: Ground) -> int:
    """Return how many records are in journals and not yet in the database."""
    written = sum(found.last_seq for found in journals_under(ground.home / "journal"))
    with ground.connect() as connection:
        (drained,) = connection.execute("SELECT coalesce(sum(seq), 0) FROM persistence_journalcursor").fetchone()
    return written - int(drained)


def quantiles(times: list[tuple[float, str, float]]) -> dict[str, Any]:
    """Return what calls took, in milliseconds, and the longest of them with their keys."""
    ordered = sorted(times, reverse=True)
    figures = {
        name: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))][0] * 1000, 3)
        for name, share in (("p50_ms", 0.5), ("p99_ms", 0.01), ("p999_ms", 0.001), ("max_ms", 0.0))
    }
    return figures | {"longest": [(round(seconds * 1000, 1), key) for seconds, key, _began in ordered[:12]]}


def outcomes(history: list[Call]) -> dict[str, int]:
    """Return how many calls had which outcome."""
    found: dict[str, int] = {}
    for call in history:
        name = call.outcome if call.told is Told.OK else call.told.value
        found[name] = found.get(name, 0) + 1
    return found
