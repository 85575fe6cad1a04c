"""Processes that fork, spawn and are told to end, threads that end, calls that are cancelled: nothing is lost by it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from friren.persistence.settings import CONNECTIONS_MAX
from tests.faults.crew import Child, Crew
from tests.faults.ground import Ground
from tests.faults.history import Call, Told, read_history
from tests.faults.kills import SMALL as SMALL_PIECES
from tests.faults.kills import Result, judge, taken
from tests.faults.outages import outcomes
from tests.faults.preloaded import requests_while_workers_die
from tests.faults.script import entity_of

__all__ = ["FULL", "SMALL", "Sizes", "through_all"]

# Connections beside those of the two pools: the drainer's and the adopter's, each one of its own.
BESIDE_POOLS = 2
# A call is interrupted at a moment within this, if it takes so long.
LONGEST_CALL_SECONDS = 0.003


@dataclasses.dataclass
class Part:
    """
    What one of several experiments on a database came to, before it is judged with the others.

    Attributes:
        history: the calls that were made.
        wrong: sentences about what must not be.
    """

    history: list[Call]
    wrong: list[str]
    figures: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    rounds: int
    children: int
    threads: int
    cancelled: int
    workers_killed: int
    terminated: int
    interrupted: int


SMALL = Sizes(rounds=1, children=2, threads=32, cancelled=100, workers_killed=3, terminated=4, interrupted=300)
FULL = Sizes(
    rounds=50, children=4, threads=5_000, cancelled=1_000, workers_killed=200, terminated=50, interrupted=3_000
)


def through_all(crew: Crew, *, sizes: Sizes, seed: int) -> Result:
    """
    Fork, spawn, let threads end, cancel and interrupt calls, preload gunicorn, send SIGTERM: all judged together.

    Args:
        crew: on a server of its own, which is stopped and started.
    """
    parts = {
        "fork": _children(crew, 1, method="fork", rounds=sizes.rounds, children=sizes.children),
        "spawn": _children(crew, 2, method="spawn", rounds=-(-sizes.rounds // 5), children=sizes.children),
        "threads": _threads(crew, 3, count=sizes.threads),
        "cancel": _cancelled(crew, 4, loops=3, count=sizes.cancelled),
        "preload": Part(*requests_while_workers_die(crew, 5, kills=sizes.workers_killed, seed=seed)),
        "interrupt": _interrupted(crew, 6, count=sizes.interrupted),
        "terminate": _terminated(crew, 9, cycles=sizes.terminated, seed=seed),
    }
    history = [call for part in parts.values() for call in part.history]
    result = judge(crew, history)
    result.wrong += [f"{name}: {line}" for name, part in parts.items() for line in part.wrong]
    result.wrong += _sessions_left(crew)
    result.figures |= {name: {"calls": len(part.history), **part.figures} for name, part in parts.items()}
    result.figures |= {"outcomes": outcomes(history), "seed": seed}
    return result


def _children(crew: Crew, number: int, *, method: str, rounds: int, children: int) -> Part:
    """Let a process start children, by `fork` or `spawn` of multiprocessing, while it logs; every third is killed."""
    options = {"method": method, "rounds": rounds, "children": children, "count": 16}
    with crew.at_work("fork_under_load", number=number, options=options) as child:
        told = _report_of(crew, child)
        wrong = _slots(told)
        parents, opening = set(told["connections"]), 0
        for path in sorted(crew.folder.glob(f"{child.log.name}.*.child")):
            own = json.loads(path.read_text())
            path.unlink()
            wrong += [f"{path.name}: {line}" for line in _slots(own)]
            if parents & set(own["connections"]):
                wrong.append(f"{path.name} uses connections of its parent")
            opening += len(own["inherited"])
            # One that the parent is just opening, by its keeper or its drainer, is not known yet when it forks.
            if len(own["inherited"]) > 1:
                wrong.append(f"{path.name} keeps connections of its parent open: {own['inherited']}")
        killed = told["statuses"].count(-signal.SIGKILL)
        if len(told["statuses"]) != told["statuses"].count(0) + killed or killed == 0:
            wrong.append(f"children ended with {told['statuses']}")
        history = taken(child)
    for path in sorted(crew.folder.glob(f"{child.log.name}.*.diary")):
        history += read_history(path, entity_of=entity_of)
        path.unlink()
    if opening > len(told["statuses"]) // 20:
        wrong.append(f"{opening} children keep a connection of their parent open")
    figures = {"children": len(told["statuses"]), "killed": killed, "forked_while_opening": opening}
    return Part(history, wrong, figures)


def _threads(crew: Crew, number: int, *, count: int) -> Part:
    """Let `count` threads log a little and end; as many connections as there are places, and every place comes back."""
    with crew.at_work("short_threads", number=number, options={"threads": count, "count": 2}) as child:
        told = _report_of(crew, child)
        history = taken(child)
    wrong, places = _slots(told), BESIDE_POOLS + 2 * CONNECTIONS_MAX
    if told["most"] > places:
        wrong.append(f"{told['most']} connections, and there are {places} places")
    return Part(history, wrong, {"connections_at_most": told["most"], "threads_at_the_end": told["threads"]})


def _cancelled(crew: Crew, number: int, *, loops: int, count: int) -> Part:
    """Cancel awaited calls in their midst: each is stored all the same, once, and the threads go on."""
    with crew.at_work("cancel", number=number, options={"loops": loops, "count": count}) as child:
        told = _report_of(crew, child)
        history = taken(child)
    # Whoever stopped waiting was not told, and yet the call was handed over: none of them may be missing.
    history = [dataclasses.replace(call, told=Told.OK) if call.told is Told.UNKNOWN else call for call in history]
    figures = {name: told[name] for name in ("cancelled", "timed out", "answered")}
    wrong = [f"no call was {name}" for name, times in figures.items() if not times]
    return Part(history, _slots(told) + wrong, figures)


def _interrupted(crew: Crew, first: int, *, count: int) -> Part:
    """Cut calls off at random moments, as Ctrl-C does; what is logged before, beside and after them is there."""
    part = Part([], [], {"interrupted": 0})
    for number, mode in enumerate(("direct", "journal", "mixed"), first):
        options = {"mode": mode, "count": count, "seconds": LONGEST_CALL_SECONDS}
        with crew.at_work("interrupt", number=number, options=options, settings=SMALL_PIECES) as child:
            told = _report_of(crew, child)
        part.history += taken(child)
        part.wrong += _slots(told)
        part.figures["interrupted"] += told["interrupted"]
    if not part.figures["interrupted"]:
        part.wrong.append("no call was interrupted")
    return part


def _terminated(crew: Crew, first: int, *, cycles: int, seed: int) -> Part:
    """
    Send SIGTERM to processes that log while PostgreSQL is away, under Python's own handler and one that exits.

    The next process finishes what they left. Those of every other pair have no journal either: what they hold is
    BUFFERED. It is lost when the process is not let end; an orderly end saves it if the disk takes it by then.
    """
    chance, history, wrong = random.Random(seed), list[Call](), list[str]()
    counts = {"cycles": cycles, "buffered, saved": 0, "buffered, lost": 0}
    for number in range(cycles):
        handler, refusing = ("default", "exit")[number % 2], number % 4 > 1
        if refusing:
            crew.do("recover")  # nobody reads there while the journal is out of the way
        options = {"handler": handler, "mode": "mixed" if number % 8 > 3 and not refusing else "direct"}
        with contextlib.ExitStack() as disk:
            if refusing:
                disk.enter_context(_refusing_disk(crew.ground))  # from the start: who has a segment open, keeps it
            with crew.at_work("log_until_terminated", number=first + number, options=options) as child:
                child.began(2_000)
                crew.ground.server.stop()
                _wait_for(child, "BUFFERED" if refusing else "JOURNALED", chance.randint(1, 50))
                if handler == "default":
                    os.kill(child.pid, signal.SIGTERM)
                    child.wait()
                disk.close()
                if handler == "exit":
                    os.kill(child.pid, signal.SIGTERM)
                if (status := child.wait()) != (-signal.SIGTERM if handler == "default" else 0):
                    wrong.append(f"{handler}: ended with {status}")
        crew.ground.server.start()
        found = taken(child)
        buffered = sum(call.outcome == "BUFFERED" for call in found)
        counts["buffered, saved" if handler == "exit" else "buffered, lost"] += buffered
        if handler == "default":
            # What was only in memory when the process was ended is what may not be there.
            found = [dataclasses.replace(one, told=Told.UNKNOWN) if one.outcome == "BUFFERED" else one for one in found]
        history += found
    wrong += [f"nothing was {name}" for name, count in counts.items() if not count]
    return Part(history, wrong, counts)


@contextlib.contextmanager
def _refusing_disk(ground: Ground) -> Iterator[None]:
    """Let the journal's disk refuse whatever a process that has no segment yet would write."""
    journal, aside = ground.home / "journal", ground.home / "aside"
    journal.rename(aside)
    journal.write_text("in the way")
    try:
        yield
    finally:
        journal.unlink()
        aside.rename(journal)


def _wait_for(child: Child, name: str, times: int) -> None:
    """Wait until so many of a child's calls had an outcome."""
    until = time.monotonic() + 120
    while child.log.read_text().count(f" {name} ") < times:
        if child.wait(0) is not None or time.monotonic() > until:
            raise AssertionError(f"no {times} calls were {name}: {child.status}")
        time.sleep(0.005)


def _report_of(crew: Crew, child: Child) -> dict[str, Any]:
    if (status := child.wait(1200)) != 0:
        raise AssertionError(f"ended with {status}: {crew.said()}")
    path = Path(f"{child.log}.report")
    told: dict[str, Any] = json.loads(path.read_text())
    path.unlink()
    return told


def _slots(told: dict[str, Any]) -> list[str]:
    """Return what is wrong with the places in the pools of a process that is idle."""
    wrong = [
        f"a place of a pool did not come back: {pool}"
        for pool in told["pools"]
        if pool["open"] != pool["ready"] or pool["waiting"]
    ]
    if not told["flushed"]:
        wrong.append("what it logged was not stored in time")
    return wrong


def _sessions_left(crew: Crew) -> list[str]:
    """Return a sentence when PostgreSQL still has sessions of processes that have ended."""
    question = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    until = time.monotonic() + 10
    with crew.ground.connect() as connection:
        while (left := connection.execute(question).fetchone()[0]) and time.monotonic() < until:
            time.sleep(0.02)
    return [f"{left} sessions of processes that have ended are open"] if left else []
