"""`manage.py worker`: what is done by the clock."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.core.management.base import CommandParser

from friren.operations.command import BaseFrirenCommand, Report
from friren.operations.jobs.settings import CONCURRENCY

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    time_limits = True  # commands that need none run in processes of their own
    help = "Run what is scheduled, until it is told to end; any number of workers share the work."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--queues", nargs="+", default=[], metavar="QUEUE", help="Only these; all unless given.")
        parser.add_argument("--concurrency", type=int, default=CONCURRENCY, choices=range(1, 65), metavar="N",
                            help=f"How many jobs at a time; {CONCURRENCY} unless given.")  # fmt: skip
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--once", action="store_true", help="Only what is due now; exit code 1 when one failed.")
        mode.add_argument("--list", action="store_true", dest="listing", help="Only tell what is scheduled.")

    def run(self, *, queues: list[str], concurrency: int, once: bool, listing: bool, **_: Any) -> Report:
        # What the worker stands on takes its time to load, also where only `--help` is asked for.
        if listing:
            from friren.operations.jobs.listing import list_schedules

            return {"schedules": list_schedules()}
        from friren.operations.jobs.worker import work

        done = work(queues=queues, concurrency=concurrency, once=once)
        self.failed = once and done.failed > 0
        return dataclasses.asdict(done)

    def show(self, report: Report) -> None:
        if "schedules" not in report:
            super().show(report)
            return
        for one in report["schedules"]:
            last = f"{one['last_status'].lower()} {one['last_at']:%Y-%m-%d %H:%M}" if one["last_at"] else "not run yet"
            following = f"next {one['next_at']:%Y-%m-%d %H:%M}" if one["next_at"] else "off"
            line = f"{one['name']:<14} {one['cron'] or '':<14} {following:<22} {last:<29} {one['command']}"
            self.console.print(line, markup=False, soft_wrap=True)
