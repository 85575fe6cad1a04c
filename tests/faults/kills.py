"""Kill -9: at random moments, and at every failpoint. What was acknowledged is stored, once, as it was told."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Iterable
from typing import Any

import psycopg

from tests.faults.crew import Child, Crew
from tests.faults.failpoints import FAILPOINTS
from tests.faults.ground import Ground
from tests.faults.history import Call, Findings, Row, Told, check, read_history
from tests.faults.script import content_of, entity_of, rows_of

__all__ = ["Result", "at_failpoints", "at_random", "in_journal_mode", "judge", "taken"]

# Small, so that a short life passes every part of the write path: batches, segments, and the end of drained ones.
SMALL = {
    "DRAIN_BATCH_ROWS": 25,
    "DRAIN_LINGER_SECONDS": 0.0,
    "DRAIN_IDLE_SECONDS": 0.01,
    "JOURNAL_SEGMENT_BYTES": 8_000,
    "JOURNAL_KEEP_SECONDS": 0.0,
}
# How long a process that has not come by its failpoint is waited for.
REACH_SECONDS = 20.0
# The two lines of an acknowledged call are no longer than this, so a history of that size holds so many calls.
PAIR_BYTES = 60


@dataclasses.dataclass
class Result:
    """
    What an experiment came to.

    Attributes:
        findings: the history against the database, when there was one.
        account: of every record, see tests.faults.tasks.account.
        figures: what else there is to tell.
        wrong: sentences about what must not be; empty when all is well.
    """

    findings: Findings | None
    account: dict[str, Any]
    figures: dict[str, Any]
    wrong: list[str] = dataclasses.field(default_factory=list)


def at_random(ground: Ground, *, cycles: int, seed: int, variant: str = "") -> Result:
    """Kill processes that log, each at a random moment of its life; the next one adopts what it left."""
    chance, history, killed = random.Random(seed), [], 0
    with Crew(ground) as crew:
        for number in range(cycles):
            mode = ("journal", "mixed", "direct", "journal")[number % 4]
            options = {"mode": mode, "threads": chance.choice((1, 1, 2, 4)), "count": 400}
            with crew.at_work("log", number=number, options=options, settings=SMALL, variant=variant) as child:
                child.began()
                time.sleep(chance.uniform(0, 0.25))
                killed += child.wait(0) is None
            history += taken(child)
        result = judge(crew, history, variant=variant)
    result.figures |= {"cycles": cycles, "killed": killed, "seed": seed}
    return result


def in_journal_mode(ground: Ground, *, cycles: int, facts: int, seed: int, variant: str = "") -> Result:
    """Log `facts` facts in journal mode, with the ordinary bounds, each process killed after a random number."""
    chance, history, killed = random.Random(seed), [], 0
    with Crew(ground) as crew:
        for number in range(cycles):
            left = facts - sum(call.told is Told.OK for call in history)
            share = left / (cycles - number)
            wanted = chance.randint(1, max(1, int(2 * share))) if number < cycles - 1 else max(1, left)
            threads = chance.choice((1, 2, 4))
            options = {
                "mode": "journal",
                "threads": threads,
                "count": 2 * wanted,
            }  # of each thread: more than it lives for
            with crew.at_work("log", number=number, options=options, variant=variant) as child:
                child.began(PAIR_BYTES * wanted)
                killed += child.wait(0) is None
            history += taken(child)
        result = judge(crew, history, variant=variant)
    result.figures |= {"cycles": cycles, "killed": killed, "seed": seed}
    return result


def at_failpoints(
    ground: Ground, *, cycles: int, seed: int, names: tuple[str, ...] = tuple(FAILPOINTS), variant: str = ""
) -> Result:
    """Kill processes that log at each failpoint, `cycles` times each; the next one adopts what it left."""
    chance, history = random.Random(seed), []
    reached = dict.fromkeys(names, 0)
    with Crew(ground) as crew:
        number = 0
        for name in names:
            point = FAILPOINTS[name]
            tries = 3 * cycles  # on a busy machine a process may end before it comes by
            while reached[name] < cycles and (tries := tries - 1) >= 0:
                number += 1
                hit = 1 if "adoption" in name else chance.randint(1, 40 if point.dense else 6)
                options = {"mode": point.mode, "threads": chance.choice((1, 2)), "count": 200}
                orders = {"number": number, "options": options, "settings": SMALL, "variant": variant}
                with crew.at_work("log", failpoint=name, hit=hit, **orders) as child:
                    reached[name] += child.wait(REACH_SECONDS) == -9
                history += taken(child)
        result = judge(crew, history, variant=variant)
    result.figures |= {"cycles": number, "reached": reached, "seed": seed}
    result.wrong += [f"{name}: reached {count} of {cycles} times" for name, count in reached.items() if count < cycles]
    return result


def taken(child: Child) -> list[Call]:
    """Return the history that a child wrote, and remove it."""
    found = read_history(child.log, entity_of=entity_of)
    child.log.unlink()
    return found


def judge(
    crew: Crew,
    history: list[Call],
    *,
    variant: str = "",
    dead_letters: int = 0,
    books: bool = True,
    rows: Callable[[psycopg.Connection], Iterable[Row]] = rows_of,
    expected: Callable[[str], Any] = content_of,
) -> Result:
    """
    Let everything be drained, and hold it against what was told.

    Args:
        books: fold them anew, and see that they come out the same; that takes its time after very many fills.
        rows, expected: what is stored, and what should be of a call by its key; of the script unless given.
    """
    done = crew.do("recover", variant=variant)
    account = crew.do("account", options={"books": books})
    with crew.ground.connect() as connection:
        findings = check(history, rows(connection), expected=expected)
    wrong = [f"{kind}: {count}" for kind, count in findings.violations.items()]
    if findings.failed:
        wrong.append(f"{findings.failed} calls raised")
    if account["last_seq"] != account["stored"] + account["duplicates"] + account["dead_lettered"] + account["backlog"]:
        wrong.append(f"the account does not balance: {account}")
    wrong += [f"{name} is {account[name]}" for name in ("backlog", "ahead") if account[name]]
    if account["dead_lettered"] != dead_letters:
        wrong.append(f"{account['dead_lettered']} dead letters, not {dead_letters}: {account['letters']}")
    wrong += [f"books differ: {difference}" for difference in account["differences"][:5]]
    if done["remaining"]:
        wrong.append(f"{done['remaining']} records remain after recovery")
    return Result(findings, account, {}, wrong)
