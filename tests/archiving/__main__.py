"""`python -m tests.archiving [--kills N] [--money N] [--rows N] [--seed N]`: kill the archive, and count the rows."""

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
EPISODES = 60
# It had done its work, or did not come by the place.
MISSED = "missed"


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
        while sum(done.values()) - done[MISSED] < kills:
            number = sum(done.values())
            if number % 2:
                place, moment = chance.choice(PLACES)
                own = random.Random(chance.random())
                died = killed_at(lambda own=own: cycle(folder, own), place, moment, chance.choice((1, 1, 2, 5)))
                done[f"{place.rpartition(':')[2]} {moment}" if died else MISSED] += 1
            else:
                own = random.Random(chance.random())
                died = killed_somewhen(lambda own=own: cycle(folder, own), chance.uniform(0.005, 0.6))
                done["somewhen" if died else MISSED] += 1
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


def money(kills: int, books: int, seed: int) -> list[str]:
    """Kill a process that moves the books of closed periods, again and again; return what was wrong."""
    from friren.operations import audit
    from tests.archiving.kills import killed_at, killed_somewhen
    from tests.archiving.money import MONEY_PLACES, Books, move_money

    chance, done, wrong = random.Random(seed), collections.Counter(), []
    expected = Books.lived(books, EPISODES)
    audit.seal()
    began = time.monotonic()
    while sum(done.values()) - done[MISSED] < kills:
        number = sum(done.values())
        own = random.Random(chance.random())
        if number % 2:
            place, moment = chance.choice(MONEY_PLACES)
            died = killed_at(lambda own=own: move_money(own), place, moment, chance.choice((1, 1, 2, 5)))
            done[f"{place.rpartition(':')[2]} {moment}" if died else MISSED] += 1
        else:
            died = killed_somewhen(lambda own=own: move_money(own), chance.uniform(0.005, 1.5))
            done["somewhen" if died else MISSED] += 1
        wrong += [f"kill {number}: {line}" for line in expected.misplaced(number)]
    wrong += expected.unlike()
    if not audit.verify().ok:
        wrong.append(f"verify_audit: {audit.verify().first_bad}")
    rows = sum(map(len, expected.ids.values()))
    tell(
        f"{kills} kills in {time.monotonic() - began:.0f} s, seed {seed}, {books} books of {rows} rows: "
        f"{len(wrong)} wrong; {dict(done.most_common())}"
    )
    return wrong


def speed(rows: int) -> list[str]:
    """Tell how many rows go each way in a second."""
    from django.db import connection

    from friren.operations.archive.cold.files import cool, warm
    from friren.operations.archive.policies import named_policy
    from friren.operations.archive.service import archive, unarchive
    from tests.factories import SignalFactory
    from tests.integration.friren.operations.archive.conftest import LATER

    template = SignalFactory()
    columns = (
        "digest, account_id, kind, symbol_id, signal_type, reasoning, market_question, strategy_name, event_title, "
    )
    columns += "processed, executed, extra"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO trading_engine_signal (id, timestamp, {columns}) SELECT gen_random_uuid(), "
            f"timestamp + number * interval '1 second', {columns} FROM trading_engine_signal, "
            f"generate_series(1, {rows}) AS number WHERE id = '{template.id}'"
        )
    policy, told = named_policy("Signal"), []
    with tempfile.TemporaryDirectory(prefix="friren-archiving-") as folder:
        for name, way in {
            "archived": lambda: archive(["Signal"], now=LATER, older_than=LATER),
            "written to files": lambda: cool(policy, folder, LATER),
            "read from files": lambda: warm(policy, folder, since=None, until=LATER),
            "brought back": lambda: unarchive(["Signal"], until=LATER),
        }.items():
            began = time.perf_counter()
            moved = sum(one.rows for one in way())
            told.append(f"{name} at {moved / (time.perf_counter() - began):,.0f}")
    tell(f"{rows} signals, a second: {', '.join(told)} (load {os.getloadavg()[0]:.0f} on {os.cpu_count()} processors)")
    return []


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run on a server of its own; the exit status is 1 when a row was lost, doubled or changed."""
    parser = argparse.ArgumentParser(prog="python -m tests.archiving", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many; 200 unless given")
    parser.add_argument("--money", type=int, default=150, help="kills while the books of closed periods are moved")
    parser.add_argument("--books", type=int, default=10, help="how many books")
    parser.add_argument("--rows", type=int, default=2_000, help="of each table")
    parser.add_argument("--speed", type=int, default=100_000, help="rows that are moved for time")
    parser.add_argument("--seed", type=int, default=SEED, help="of every random choice")
    options = parser.parse_args()
    with own_server(**FAST) as ground:
        os.environ |= ground.environment(FRIREN_HOME=str(ground.home))
        import friren

        friren.setup()
        wrong = run(options.kills, options.rows, options.seed) if options.kills else []
        if options.money:
            wrong += money(options.money, options.books, options.seed)
        if options.speed:
            wrong += speed(options.speed)
    for line in wrong:
        tell(f"WRONG: {line}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
