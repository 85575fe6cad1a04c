"""`python -m tests.faults [NAME …] [--small] [--seed N] [--out FILE]`: break things, and tell what came of it."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

from tests.faults import bank, commits, kills, latency, matrix, outages, poison, power_cuts, processes
from tests.faults.crew import Crew
from tests.faults.ground import own_server
from tests.faults.provocations import FAULTS
from tests.faults.proxy import FaultProxy
from tests.postgres import FAST

SEED = 20261120
# Of servers that are killed, and whose pace is measured.
DURABLE = {"fsync": "on"}


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One experiment: what it shows, and how it is run at full size and at a small one."""

    shows: str
    run: Callable[[bool, int], kills.Result]


def _kills(small: bool, seed: int) -> kills.Result:
    with own_server(**FAST) as ground:
        return kills.at_random(ground, cycles=100 if small else 1_000, seed=seed)


def _failpoints(small: bool, seed: int) -> kills.Result:
    with own_server(**FAST) as ground:
        return kills.at_failpoints(ground, cycles=3 if small else 20, seed=seed)


def _journal(small: bool, seed: int) -> kills.Result:
    with own_server(**FAST) as ground:
        return kills.in_journal_mode(ground, cycles=5 if small else 50, facts=5_000 if small else 100_000, seed=seed)


def _power_cuts(small: bool, seed: int) -> kills.Result:
    count = 500 if small else 10_000
    wrong = []
    try:
        power_cuts.histories(count, seed=seed)
    except AssertionError as exc:
        wrong += [str(exc), *getattr(exc, "__notes__", ())]
    return kills.Result(None, {}, {"histories": count, "seed": seed}, wrong)


def _stopped(**how: Any) -> Callable[[bool, int], kills.Result]:
    def run(small: bool, _seed: int) -> kills.Result:
        with own_server(**DURABLE) as ground:
            return outages.stopped(ground, calls=1_000 if small else 10_000, **how)

    return run


def _frozen(small: bool, _seed: int) -> kills.Result:
    with own_server(**DURABLE) as ground:
        return outages.frozen_server(ground, calls=1_000 if small else 10_000, turns=2 if small else 10)


def _long_outage(small: bool, _seed: int) -> kills.Result:
    with own_server(**DURABLE) as ground:
        return outages.long_outage(ground, seconds=5 if small else 60, per_second=500)


def _commits(small: bool, seed: int) -> kills.Result:
    with own_server(**DURABLE) as ground, contextlib.closing(FaultProxy(ground.socket)) as proxy:
        return commits.lost_commits(ground, proxy, each=10 if small else 200, seed=seed)


def _matrix(small: bool, _seed: int) -> kills.Result:
    with own_server(**matrix.SETTINGS, **DURABLE) as ground, contextlib.closing(FaultProxy(ground.socket)) as proxy:
        return matrix.through_all(ground, proxy, lasts=0.2 if small else 2.0)


def _poison(small: bool, _seed: int) -> kills.Result:
    with own_server(**DURABLE) as ground:
        result = poison.poisoned(ground, count=5_000 if small else 50_000, rounds=1 if small else 3)
    if not small and result.figures["share_of_clean"] < poison.SHARE_MIN:
        result.wrong.append(f"poison costs more than half of the pace: {result.figures}")
    return result


def _schedules(small: bool, seed: int) -> kills.Result:
    django.setup()
    from tests.faults import schedules

    count = 200 if small else 5_000
    wrong = []
    try:
        schedules.many(count, seed=seed)
    except AssertionError as exc:
        wrong += [str(exc), *getattr(exc, "__notes__", ())]
    return kills.Result(None, {}, {"schedules": count, "seed": seed}, wrong)


def _latency(small: bool, _seed: int) -> kills.Result:
    with own_server(**DURABLE) as ground, contextlib.closing(FaultProxy(ground.socket)) as proxy:
        return latency.in_trouble(ground, proxy, calls=500 if small else 10_000)


def _processes(small: bool, seed: int) -> kills.Result:
    with own_server(**FAST) as ground, Crew(ground) as crew:
        return processes.through_all(crew, sizes=processes.SMALL if small else processes.FULL, seed=seed)


def _bank(small: bool, seed: int) -> kills.Result:
    with own_server(**FAST) as ground, Crew(ground) as crew:
        return bank.bank(crew, rounds=3 if small else 100, seed=seed)


EXPERIMENTS: dict[str, Experiment] = {
    "kills": Experiment("1,000 processes killed at a random moment", _kills),
    "failpoints": Experiment("processes killed 20 times at each failpoint", _failpoints),
    "journal": Experiment("100,000 facts in journal mode, the process killed 50 times", _journal),
    "power_cuts": Experiment("10,000 histories of a journal on a disk that keeps only what was synced", _power_cuts),
    "commits": Experiment("COMMITs lost before, after and half way, 200 each", _commits),
    "matrix": Experiment(f"{len(FAULTS)} kinds of fault, one after another", _matrix),
    "stopped": Experiment("PostgreSQL stopped under load, direct mode", _stopped(mode="direct")),
    "stopped_journal": Experiment("likewise, journal mode", _stopped(mode="journal")),
    "stopped_killed": Experiment("likewise, the logging process killed meanwhile", _stopped(mode="direct", kill=True)),
    "stopped_forked": Experiment(
        "likewise, with a forked child that lives on", _stopped(mode="mixed", kill=True, fork=True)
    ),
    "stopped_10s": Experiment("away for 10 s, direct mode", _stopped(mode="direct", seconds=10.0)),
    "frozen": Experiment("a server that is frozen ten times: what 10,000 calls took", _frozen),
    "schedules": Experiment("5,000 schedules of trouble in virtual time, on a fake database", _schedules),
    "latency": Experiment("what 10,000 trading calls take without a server, and in a black hole", _latency),
    "poison": Experiment("one percent of records that the database refuses: what that costs the drain", _poison),
    "processes": Experiment("fork, spawn, gunicorn, threads that end, cancelled calls, SIGTERM", _processes),
    "bank": Experiment("money moves between accounts by 300 processes that are killed", _bank),
    "long_outage": Experiment("away for 60 s at 500 calls a second: how long the drain takes", _long_outage),
}


def main() -> int:
    """Run experiments; the exit status is 1 when one of them found something wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    names = ", ".join(f"{name} ({one.shows})" for name, one in EXPERIMENTS.items())
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all unless named: {names}")
    parser.add_argument("--small", action="store_true", help="the size that CI runs")
    parser.add_argument("--seed", type=int, default=SEED, help="of every random choice")
    parser.add_argument("--out", type=Path, help="a file for the figures, as JSON")
    options = parser.parse_args()
    if unknown := set(options.names) - EXPERIMENTS.keys():
        parser.error(f"no experiment is called {', '.join(sorted(unknown))}")
    logging.getLogger("friren").setLevel(logging.CRITICAL + 1)  # of disks that fail on purpose
    told = {}
    for name in options.names or EXPERIMENTS:
        began = time.monotonic()
        result = EXPERIMENTS[name].run(options.small, options.seed)
        told[name] = _tell(name, result, seconds=time.monotonic() - began)
        if options.out:
            options.out.write_text(json.dumps(told, indent=2, default=str) + "\n")
    return int(any(one["wrong"] for one in told.values()))


def _tell(name: str, result: kills.Result, *, seconds: float) -> dict[str, Any]:
    figures = {**result.figures, "seconds": round(seconds, 1)}
    sys.stdout.write(f"{name}: {'WRONG' if result.wrong else 'as promised'}\n")
    for line in filter(None, (result.findings, result.account, figures, *result.wrong)):
        sys.stdout.write(f"    {line}\n")
    sys.stdout.flush()
    findings = dataclasses.asdict(result.findings) if result.findings else {}
    return {"wrong": result.wrong, "findings": findings, "account": result.account, "figures": figures}


if __name__ == "__main__":
    sys.exit(main())
