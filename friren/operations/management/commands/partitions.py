"""`manage.py partitions`: the months of every time series, made before their first row comes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from friren.operations.command import BaseFrirenCommand, Report
from friren.operations.maintenance import MONTHS_AHEAD, MONTHS_AHEAD_MAX, months_ahead

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Make this month's partition of every time series, and those of the months after it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--months", type=int, choices=range(MONTHS_AHEAD_MAX + 1), default=MONTHS_AHEAD, metavar="N",
            help=f"How many after this one, {MONTHS_AHEAD} by default and {MONTHS_AHEAD_MAX} at most.",
        )  # fmt: skip

    def run(self, *, months: int, **_: Any) -> Report:
        return {"made": months_ahead(months)}
