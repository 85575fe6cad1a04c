"""`manage.py health`: is everything as it should be?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.table import Table

from friren.operations import health
from friren.operations.command import BaseFrirenCommand, Report
from friren.operations.health.registry import registered
from friren.operations.health.write_path import figures

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    time_limits = True  # a probe has to end
    help = "Check connectivity, migrations and what else is registered; exit code 1 when something is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--live", action="store_true", help="Only whether this process works: ask no database.")
        parser.add_argument("--check", action="append", metavar="NAME", help="Only this check; may be repeated.")

    def run(self, *, live: bool, check: list[str] | None, **_: Any) -> Report:
        if unknown := set(check or ()) - set(registered()):
            raise CommandError(f"unknown check {', '.join(unknown)}: there are {', '.join(registered())}", returncode=2)
        found = health.examine([] if live else check)
        self.failed = not found.ok
        return {
            "status": "ok" if found.ok else "failed",
            **({} if live or check else {"write_path": figures()}),
            "checks": {
                name: {"ok": finding.ok, "message": finding.message, "seconds": seconds, **finding.details}
                for name, (finding, seconds) in found.checks.items()
            },
        }

    def show(self, report: Report) -> None:
        table = Table(show_header=False, box=None)
        for name, found in report["checks"].items():
            table.add_row("[green]ok[/]" if found["ok"] else "[red]failed[/]", name, found["message"])
        self.console.print(table)
        self.console.print("healthy" if report["status"] == "ok" else "not healthy")
