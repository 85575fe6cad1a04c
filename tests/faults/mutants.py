"""
`python -m tests.faults.mutants`: run the laboratory on wrong variants of the write path. It has to catch every one.

A laboratory that finds nothing wrong shows something only if it would have found it.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.faults import commits, kills, matrix, power_cuts
from tests.faults.ground import Ground, own_server
from tests.faults.proxy import FaultProxy
from tests.faults.variants import VARIANTS, applied
from tests.postgres import FAST

__all__ = ["EXPERIMENTS", "complaints", "main"]

SEED = 20261120


def _killed_at(ground: Ground, variant: str, **options: Any) -> list[str]:
    return kills.at_failpoints(ground, cycles=5, seed=SEED, variant=variant, **options).wrong


def _killed(ground: Ground, variant: str) -> list[str]:
    return kills.at_random(ground, cycles=12, seed=SEED, variant=variant).wrong


def _journaled(ground: Ground, variant: str) -> list[str]:
    # By number and not by time: each process leaves whole batches, however busy the machine is.
    return kills.in_journal_mode(ground, cycles=3, facts=900, seed=SEED, variant=variant).wrong


def _lost_commits(ground: Ground, variant: str, **options: Any) -> list[str]:
    with contextlib.closing(FaultProxy(ground.socket)) as proxy:
        return commits.lost_commits(ground, proxy, each=8, seed=SEED, variant=variant, **options).wrong


def _outage(ground: Ground, variant: str) -> list[str]:
    with contextlib.closing(FaultProxy(ground.socket)) as proxy:
        return matrix.through_all(ground, proxy, lasts=0.3, names=("connections refused",), variant=variant).wrong


def _power_cuts(_ground: Ground, variant: str) -> list[str]:
    with applied(variant) if variant else contextlib.nullcontext():
        try:
            power_cuts.histories(500, seed=SEED, shortest=False)
        except AssertionError as exc:
            return [str(exc)]
    return []


EXPERIMENTS: Final[dict[str, Callable[..., list[str]]]] = {
    "killed_at": _killed_at,
    "killed": _killed,
    "journaled": _journaled,
    "lost_commits": _lost_commits,
    "outage": _outage,
    "power_cuts": _power_cuts,
}


def complaints(name: str, ground: Ground, *, right: bool = False) -> list[str]:
    """Return what the experiment that has to catch a variant says of it; `right`: of the write path as it is."""
    variant = VARIANTS[name]
    return EXPERIMENTS[variant.experiment](ground, "" if right else name, **variant.options)


@contextlib.contextmanager
def _grounds() -> Iterator[Callable[[str], Ground]]:
    """A server, and what makes an empty database and a home for each variant on it."""
    with own_server(**FAST) as first:

        def make(name: str) -> Ground:
            with first.server.connect("postgres") as admin:
                admin.execute(f'CREATE DATABASE "{name}" TEMPLATE friren')
            home = first.home / name
            home.mkdir()
            return Ground(first.server.url(name), home, first.server)

        yield make


def main() -> int:
    """Try every variant; the exit status is 1 when one is not caught, or the right one is blamed."""
    logging.getLogger("friren").setLevel(logging.CRITICAL + 1)  # of disks that fail on purpose
    caught, blamed = 0, []
    with _grounds() as ground:
        for number, (name, variant) in enumerate(VARIANTS.items()):
            said = complaints(name, ground(f"variant_{number}"))
            found = [line for line in said if variant.expects in line]
            caught += bool(found)
            _say(f"{name}: {'caught by' if found else 'NOT CAUGHT by'} {variant.experiment}: {(found or said)[:1]}")
            if blame := complaints(name, ground(f"right_{number}"), right=True):
                blamed.append(name)
                _say(f"    and the right one is blamed: {blame[:1]}")
    _say(f"{caught} of {len(VARIANTS)} caught")
    return int(caught < len(VARIANTS) or bool(blamed))


def _say(line: str) -> None:
    sys.stdout.write(line[:500] + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
