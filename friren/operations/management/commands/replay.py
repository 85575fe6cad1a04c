"""`manage.py replay`: what journals hold, into the database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from friren.operations.command import BaseFrirenCommand, Report
from friren.persistence.replay import elsewhere, replay

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = (
        "Store what the journals on this machine hold for this database; exit code 1 when something is left. "
        "Journals written for another database are named, and left alone unless adopted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--adopt", metavar="ID", help="First make a journal of another database this one's: its id or its folder."
        )
        parser.add_argument("--timeout", type=float, metavar="SECONDS", help="Leave the rest for another time.")

    def run(self, *, adopt: str | None, timeout: float | None, **_: Any) -> Report:
        done = replay(adopt=adopt, timeout=timeout)
        self.failed = done.remaining > 0
        return {
            "replayed": done.stored,
            "duplicates": done.duplicates,
            "dead_lettered": done.dead_lettered,
            "remaining": done.remaining,
            "waiting": done.waiting,
            "elsewhere": elsewhere(),
        }
