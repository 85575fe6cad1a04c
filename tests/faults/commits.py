"""Connections that break at the COMMIT: whether it took place is unknown, and it counts exactly once all the same."""

from __future__ import annotations

import random
import time
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from tests.faults.crew import Crew
from tests.faults.ground import Ground
from tests.faults.kills import Result, judge, taken
from tests.faults.outages import outcomes
from tests.faults.proxy import FaultProxy, Lost, Where

__all__ = ["lost_commits", "proxied"]

# How soon the next COMMIT is lost after the last.
PAUSE_SECONDS = 0.15


def proxied(ground: Ground, proxy: FaultProxy) -> dict[str, str]:
    """Return what makes a logger use the network that is to be broken."""
    name = conninfo_to_dict(ground.url)["dbname"]
    return {"DATABASE_URL": f"postgresql://friren@127.0.0.1:{proxy.port}/{name}?sslmode=disable"}


def lost_commits(
    ground: Ground, proxy: FaultProxy, *, each: int, seed: int, variant: str = "", only: int | None = None
) -> Result:
    """
    Lose `each` commits in every way, of statements by themselves and of transactions, while a process logs.

    Args:
        only: the step of a round that it makes, when it is not to make all: then no transaction is lost.
    """
    chance = random.Random(seed)
    places = list(Where) if only is None else [Where.INSERT]
    losses = [(lost, where) for lost in Lost for where in places for _ in range(-(-each // len(places)))]
    chance.shuffle(losses)
    counts: dict[str, Any] = {f"{lost.value} {where.value}": 0 for lost in Lost for where in places}
    options = {"mode": "direct", "threads": 2, "count": 1_000_000, "pace": 0.01, "only": only}
    with Crew(ground, **proxied(ground, proxy)) as crew:
        with crew.at_work("log", number=1, options=options, variant=variant) as child:
            child.began()
            for lost, where in losses:
                proxy.set_trap(lost, where)
                counts[f"{lost.value} {where.value}"] += proxy.sprung.wait(20)
                time.sleep(PAUSE_SECONDS)
        history = taken(child)
        result = judge(crew, history, variant=variant)
    result.figures |= {"lost": counts, "calls": len(history), "outcomes": outcomes(history), "seed": seed}
    result.wrong += [
        f"{name}: {count} commits were lost" for name, count in counts.items() if count < each // len(places)
    ]
    if not result.account["duplicates"]:
        result.wrong.append("no commit that was lost had taken place: the hard part was not reached")
    return result
