"""`python -m tests.tampering [--forgeries N] [--clean N] [--rows N] [--speed N]`: forge, and see it named."""

from __future__ import annotations

import argparse
import collections
import os
import random
import statistics
import sys
import time
from decimal import Decimal
from pathlib import Path

from tests.faults.ground import Ground, own_server
from tests.postgres import FAST

SEED = 20261120


def forgeries(ground: Ground, count: int, rows: int, seed: int) -> list[str]:
    """Forge a sealed database, again and again; return what was missed or misnamed."""
    from friren.operations import audit
    from tests.tampering.attacks import ATTACKS, CHAIN_ATTACKS
    from tests.tampering.ground import sealed_database

    chance, wrong, done = random.Random(seed), [], collections.Counter()
    every = (*ATTACKS, *CHAIN_ATTACKS)
    with ground.connect() as session:
        sealed = sealed_database(session, rows=rows, seals=5, chance=chance)
        if not audit.verify().ok:
            wrong.append(f"a false alarm before anything was forged: {audit.verify().first_bad}")
        for number in range(count):
            attack = every[number % len(every)]
            named = attack(sealed, chance)
            found = audit.verify()
            done[attack.__name__] += 1
            bad = found.first_bad
            if bad is None:
                wrong.append(f"{number}: {attack.__name__} was not found: {named}")
            elif (bad.table, bad.column in named.columns, bad.id in named.ids) != (named.table, True, True):
                wrong.append(f"{number}: {attack.__name__} was to name {named}, not {bad}")
            sealed.restore()
        if not audit.verify().ok:
            wrong.append(f"a false alarm after all was put back: {audit.verify().first_bad}")
    tell(f"{count} forgeries of {rows} rows, {len(wrong)} missed or misnamed: {dict(done)}")
    return wrong


def clean(ground: Ground, count: int, seed: int) -> list[str]:
    """Seal and verify beside eight writers; return the false alarms."""
    from friren.operations import audit
    from tests.factories import AuditLogFactory, TradeFactory
    from tests.tampering.writers import eight_writers

    TradeFactory()
    AuditLogFactory()
    wrong, rows = [], 0
    # Verification reads all that was written so far: slow writers keep a thousand of them short.
    with eight_writers(ground.url, seed=seed, pause=2.0):
        for number in range(count):
            sealed, found = audit.seal(), audit.verify()
            rows += sealed.rows
            if not found.ok:
                wrong.append(f"run {number}: {found.first_bad}")
    sealed = audit.seal()
    found = audit.verify()
    stored = stored_facts(ground, sealed.last_seq)
    if found.rows != stored:
        wrong.append(f"{stored} facts are stored, {found.rows} are sealed")
    tell(f"{count} clean runs beside 8 writers, {rows} rows sealed in {found.blocks} blocks: {len(wrong)} false alarms")
    return wrong


def stored_facts(ground: Ground, last: int) -> int:
    from friren.operations.audit.layout import layouts

    counts = " + ".join(f"(SELECT count(*) FROM {layout.table} WHERE recorded_seq <= {last})" for layout in layouts())
    with ground.connect() as session:
        return session.execute(f"SELECT {counts}").fetchone()[0]


def speed(rows: int) -> list[str]:
    """Tell how many rows are sealed and verified in a second."""
    from friren import open_account
    from friren.operations import audit
    from tests.tampering.writers import fill
    from trading_engine.services import TradeLogger

    chance = random.Random(1)
    with TradeLogger(account=open_account("fast", starting_cash=Decimal(1000))) as trades:
        trades.bulk_log([fill(chance) for _ in range(rows)])
    began = time.perf_counter()
    sealed = audit.seal()
    between = time.perf_counter()
    audit.verify()  # the first one also learns the tables
    figures = []
    for _ in range(5):
        start, own, server = time.perf_counter(), time.process_time(), backend_seconds()
        found = audit.verify()
        took = time.perf_counter() - start, time.process_time() - own, backend_seconds() - server
        figures.append([seconds / found.rows * 1e6 for seconds in took])
    wall, own, server = (statistics.median(column) for column in zip(*figures, strict=True))
    tell(
        f"{sealed.rows} rows sealed at {sealed.rows / (between - began):,.0f} a second; {found.rows} verified at "
        f"{1e6 / wall:,.0f} a second; a row takes {own:.1f} µs of this process's CPU and {server:.1f} µs of the "
        f"server's (medians of 5; load {os.getloadavg()[0]:.0f} on {os.cpu_count()} processors)"
    )
    return []


def backend_seconds() -> float:
    """What the server's process at the other end of Django's connection has computed."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        process = cursor.fetchone()[0]
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run what is asked for, each on a server of its own; the exit status is 1 when something was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.tampering", description=__doc__)
    parser.add_argument("--forgeries", type=int, default=1_000, help="how many; 1,000 unless given")
    parser.add_argument("--rows", type=int, default=1_000, help="in the database that is forged")
    parser.add_argument("--clean", type=int, default=1_000, help="seals and verifications beside eight writers")
    parser.add_argument("--speed", type=int, default=300_000, help="rows that are sealed and verified for time")
    parser.add_argument("--seed", type=int, default=SEED, help="of every random choice")
    options = parser.parse_args()
    wrong: list[str] = []
    with own_server(**FAST) as ground:
        os.environ |= ground.environment(FRIREN_HOME=str(ground.home))
        import friren

        friren.setup()
        from django.conf import settings

        if options.clean:
            wrong += clean(ground, options.clean, options.seed)
        if options.speed:
            wrong += speed(options.speed)
        if options.forgeries:
            # In the same database, whose facts are many by now, the time would go into putting them back.
            wrong += forgeries(empty(ground, settings), options.forgeries, options.rows, options.seed)
    for line in wrong:
        tell(f"WRONG: {line}")
    return int(bool(wrong))


def empty(ground: Ground, settings) -> Ground:
    """Another database on the same server, migrated, which Django is connected to from here on."""
    from django.db import connection

    from friren.operations import schema
    from friren.persistence import engines

    name = "forged"
    engines.close_all()
    with ground.connect() as session:
        session.execute(f"CREATE DATABASE {name}")
    connection.close()
    connection.settings_dict["NAME"] = name
    settings.DATABASES["default"]["NAME"] = name
    schema.migrate()
    return Ground(ground.server.url(name), ground.home, ground.server)


if __name__ == "__main__":
    sys.exit(main())
