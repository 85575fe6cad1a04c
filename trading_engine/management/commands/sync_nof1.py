"""`manage.py sync_nof1`: what nof1.ai's API tells, pulled and imported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandParser
from rich.markup import escape
from rich.table import Table

from friren.environment import Environment
from friren.operations.command import BaseFrirenCommand, Report
from trading_engine.data.http_pull import HttpPuller
from trading_engine.services.nof1_sync import COUNTS, sync_nof1

__all__ = ["Command"]

PUBLIC: Final = "https://nof1.ai/api"
env = Environment(os.environ)


class Command(BaseFrirenCommand):
    help = "Pull what is new of nof1.ai's API and import it. Doing it again adds nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", default="", metavar="NAME", help="The books; copy_ai, opened if needed.")
        parser.add_argument("--url", default="", help="Address of the API; NOF1_API_URL unless given.")

    def run(self, *, account: str, url: str, **_: Any) -> Report:
        puller = HttpPuller(url or env.text("NOF1_API_URL", default=PUBLIC))
        answers = sync_nof1(puller, folder=Path(settings.FRIREN_HOME) / "pulled" / "nof1", account=account)
        for each in answers:
            if each.outcome == "failed":
                self.stderr.write(f"error: {each.name}: {each.error}", self.style.ERROR)
        self.failed = any(each.outcome == "failed" for each in answers)
        rows = [each.as_json() for each in answers]
        return {**{name: sum(row[name] for row in rows) for name in COUNTS}, "answers": rows}

    def show(self, report: Report) -> None:
        table = Table("answer", "outcome", *COUNTS, box=None)
        for each in report["answers"]:
            table.add_row(each["name"], escape(each["outcome"]), *(str(each[name]) for name in COUNTS))
        self.console.print(table)
