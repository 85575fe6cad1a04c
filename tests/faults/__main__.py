"""`python -m tests.faults [NAME …] [--small] [--seed N] [--out FILE]`: break things, and tell what came of it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults import kills, power_cuts
from tests.faults.ground import own_server
from tests.postgres import FAST

SEED = 20261120


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
        return kills.at_failpoints(ground, cycles=5 if small else 20, seed=seed)


def _journal(small: bool, seed: int) -> kills.Result:
    with own_server(**FAST) as ground:
        return kills.in_journal_mode(ground, cycles=5 if small else 50, facts=5_000 if small else 100_000, seed=seed)


def _power_cuts(small: bool, seed: int) -> kills.Result:
    count = 500 if small else 10_000
    wrong = []
    try:
        power_cuts.histories(count, seed=seed)
    except AssertionError as exc:
        wrong.append(str(exc))
    return kills.Result(None, {}, {"histories": count, "seed": seed}, wrong)


EXPERIMENTS: dict[str, Experiment] = {
    "kills": Experiment("1,000 processes killed at a random moment", _kills),
    "failpoints": Experiment("processes killed 20 times at each failpoint", _failpoints),
    "journal": Experiment("100,000 facts in journal mode, the process killed 50 times", _journal),
    "power_cuts": Experiment("10,000 histories of a journal on a disk that keeps only what was synced", _power_cuts),
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
