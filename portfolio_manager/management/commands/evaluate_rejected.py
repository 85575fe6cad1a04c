"""`manage.py evaluate_rejected`: what would have come of ideas that were turned down?"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser

from friren.operations.command import BaseFrirenCommand, Report
from portfolio_manager.ideas.counterfactuals import DEFAULT_HOLD, evaluate_rejected

__all__ = ["Command"]

DAYS_MAX: Final = 3650


class Command(BaseFrirenCommand):
    help = "Work out, from stored bars, what would have come of rejected ideas whose horizon is over."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days", type=int, default=DEFAULT_HOLD.days, metavar="N",
            help="Horizon of ideas that expect no hold of their own (default: %(default)s).",
        )  # fmt: skip
        parser.add_argument("--timeframe", default="1d", help="Of the bars (default: %(default)s).")
        parser.add_argument("--source", help="Of the bars; that of the newest one unless given.")

    def run(self, *, days: int, timeframe: str, source: str | None, **_: Any) -> Report:
        if not 1 <= days <= DAYS_MAX:
            raise CommandError(f"--days={days}: must be between 1 and {DAYS_MAX}", returncode=2)
        done = evaluate_rejected(hold=dt.timedelta(days=days), timeframe=timeframe, source=source)
        return dataclasses.asdict(done)
