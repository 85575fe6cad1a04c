"""`python -m tests.benchmarks [--smoke] [--only NAME …] [--into PAGE]`: measure on a database that is thrown away."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

from friren import embedded
from tests import postgres as harness
from tests.benchmarks.rounds import SMOKE, Section, Sizes

NAMES = (
    "single",
    "journal",
    "loop",
    "bulk",
    *(f"threads_{count}" for count in Sizes().threads),
    "history",
    "growth",
    "pages",
    "latest",
    "positions",
    "bars_load",
    "bars_read",
    "files",
    "memory",
)
# Those that read ten million rows.
STOCKED = frozenset({"history", "growth", "pages", "latest", "positions"})


def prepare() -> dict[str, Any]:
    """Start a durable server of our own with the server's own settings, migrated; return what it says of itself."""
    embedded.start(harness.location())
    with harness.admin_connection() as admin:
        admin.execute("CREATE DATABASE test_main")
    django.setup()
    from friren.operations import schema

    schema.migrate()
    copy_database()
    from django.db import connection

    with connection.cursor() as cursor:
        asked = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
        cursor.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in asked))
        return dict(zip(asked, cursor.fetchone(), strict=True))


def copy_database() -> None:
    """Make the database that is to have fewer rows: with the books that both have, while nobody is connected."""
    from django.db import connections

    from friren.persistence import engines
    from tests.benchmarks.workload import SMALL, Book

    Book("reads")
    engines.close_all()
    connections.close_all()
    with harness.admin_connection() as admin:
        admin.execute(f"CREATE DATABASE {SMALL} TEMPLATE test_main")


def sections(sizes: Sizes) -> dict[str, Callable[[], Section]]:
    from tests.benchmarks import bars, bulk, reads, threads, writes

    made: dict[str, Callable[[], Section]] = {
        "single": lambda: writes.single(sizes),
        "journal": lambda: writes.journal(sizes),
        "loop": lambda: writes.loop(sizes),
        "bulk": lambda: bulk.bulk(sizes),
        "history": lambda: reads.history(sizes),
        "growth": lambda: reads.growth(sizes),
        "pages": lambda: reads.pages(sizes),
        "latest": lambda: reads.latest(sizes),
        "positions": lambda: reads.positions(sizes),
        "bars_load": lambda: bars.bars_load(sizes),
        "bars_read": lambda: bars.bars_read(sizes),
        "files": lambda: reads.files(sizes),
    }
    for count in sizes.threads:
        made[f"threads_{count}"] = lambda count=count: threads.threads(sizes, count=count)  # type: ignore[misc]
    return made


def main() -> None:
    """Measure, print, and write benchmarks.json, benchmarks.md and benchmarks.png."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=main.__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few records of everything: that it runs, no figures")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--rounds", type=int, help="at least 5 for figures that are quoted")
    parser.add_argument("--out", type=Path, default=Path("benchmarks"), help="folder of the results")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="replace the figures of this page, and its picture")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # it is a text file, and may be a log
    sizes = SMOKE if options.smoke else Sizes()
    if options.rounds:
        sizes = Sizes(**{**vars(sizes), "rounds": options.rounds})
    about: dict[str, Any] = {"server": prepare()}
    from tests.benchmarks import bulk, chart, report, server, stocks

    if not STOCKED.isdisjoint(options.only):
        stocks.check_room(sizes)
    began = time.monotonic()
    about |= {"machine": report.machine(), "sizes": vars(sizes), "flush_us": server.flush_microseconds()}
    options.out.mkdir(parents=True, exist_ok=True)
    known, done = sections(sizes), []
    for name in NAMES:
        if name in options.only and name in known:
            done.append(known[name]())
            report.show(done[-1])
            # Again after every table: a run that is broken off has told what it found.
            report.write_json(options.out / "benchmarks.json", done, about)
            (options.out / "benchmarks.md").write_text(report.markdown(done, about), encoding="utf-8")
    if "memory" in options.only:
        about["memory"] = bulk.memory(sizes)
        report.show_memory(about["memory"])
    about |= {"load_after": os.getloadavg()[0], "seconds": round(time.monotonic() - began)}
    page, picture = report.markdown(done, about), options.out / "benchmarks.png"
    report.write_json(options.out / "benchmarks.json", done, about)
    (options.out / "benchmarks.md").write_text(page, encoding="utf-8")
    drawn = chart.draw(picture, done)
    sys.stdout.write(page)
    if options.into:
        report.replace_figures(options.into, page)
        if drawn:
            shutil.copyfile(picture, options.into.with_suffix(".png"))


if __name__ == "__main__":
    main()
