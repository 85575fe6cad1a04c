"""One record in a hundred that the database refuses: the others are stored, these are kept, and the drain goes on."""

from __future__ import annotations

import statistics

from tests.faults.crew import Crew
from tests.faults.ground import Ground
from tests.faults.kills import Result

__all__ = ["SHARE_MIN", "poisoned"]

# What poison may cost at most: the drain is at least as fast as this share of a clean one.
SHARE_MIN = 0.5
# A record without its parent is waited for ten seconds, in case it comes: that is no matter of throughput.
SETTINGS = {"PARENT_WAIT_SECONDS": 0.0}


def poisoned(ground: Ground, *, count: int, rounds: int, **bounds: float) -> Result:
    """
    Drain a journal of `count` records as they should be, then one with a hundredth of them poisoned, in turns.

    The pace of the poisoned ones is told as a share of that of the others.

    Args:
        bounds: of the write path that differ from the ordinary ones.
    """
    with Crew(ground) as crew:
        found = crew.do("drain_both", options={"count": count, "rounds": rounds}, settings=SETTINGS | bounds)
    seconds = {name: statistics.median(found["seconds"][name]) for name in ("clean", "poisoned")}
    figures = {
        "per_second": {name: round(count / took) for name, took in seconds.items()},
        "share_of_clean": round(seconds["clean"] / seconds["poisoned"], 3),
        "poison": found["poison"], "records": count, "rounds": rounds,
    }  # fmt: skip
    return Result(None, found["totals"], figures, found["wrong"])
