"""`python -m tests.archiving [--kills N] [--rows N] [--seed N]`: kill the archive, and count the rows."""

from __future__ import annotations

import argparse
import collections
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.ground import own_server
from tests.postgres import FAST

SEED = 20261120


def run(kills: int, rows: int, seed: int) -> list[str]:
    """Kill a process that moves rows, again and again; return what was wrong."""
    from friren.operations import audit
    from tests.archiving.checking import Expected
    from tests.archiving.kills import PLACES, cycle, finish, killed_at, killed_somewhen

    chance, done, wrong = random.Random(seed), collections.Counter(), []
    expected = Expected.filled(rows)
    audit.seal()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="friren-archiving-") as scratch:
        folder = Path(scratch)
        for number in range(kills):
            if number % 2:
                place, moment = chance.choice(PLACES)
                own = random.Random(chance.random())
                died = killed_at(lambda own=own: cycle(folder, own), place, moment, chance.randint(1, 8))
                done[f"{place.rpartition(':')[2]} {moment}" if died else "not come by"] += 1
            else:
                own = random.Random(chance.random())
                died = killed_somewhen(lambda own=own: cycle(folder, own), chance.uniform(0.005, 0.6))
                done["somewhen" if died else "it was done"] += 1
            wrong += [f"kill {number}: {line}" for line in expected.misplaced(folder)]
        finish(folder)
        wrong += expected.unlike(folder)
        if not audit.verify().ok:
            wrong.append(f"verify_audit: {audit.verify().first_bad}")
    tell(
        f"{kills} kills in {time.monotonic() - began:.0f} s, seed {seed}, {rows} rows of each table: "
        f"{len(wrong)} wrong; {dict(done.most_common())}"
    )
    return wrong


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run on a server of its own; the exit status is 1 when a row was lost, doubled or changed."""
    parser = argparse.ArgumentParser(prog="python -m tests.archiving", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many; 200 unless given")
    parser.add_argument("--rows", type=int, default=2_000, help="of each table")
    parser.add_argument("--seed", type=int, default=SEED, help="of every random choice")
    options = parser.parse_args()
    with own_server(**FAST) as ground:
        os.environ |= ground.environment(FRIREN_HOME=str(ground.home))
        import friren

        friren.setup()
        wrong = run(options.kills, options.rows, options.seed)
    for line in wrong:
        tell(f"WRONG: {line}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
