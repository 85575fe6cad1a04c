"""`manage.py maintain`: what a database wants done now and then."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from rich.table import Table

from friren.operations.command import BaseFrirenCommand, Report
from friren.operations.maintenance import NAMED_ONLY, STEPS, maintain

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Vacuum, analyze, rebuild bloated indexes, make months ahead, rotate the log: all, or those that are named."

    def add_arguments(self, parser: CommandParser) -> None:
        for name, step in STEPS.items():
            told = (step.__doc__ or "").partition(".")[0].replace("%", "%%")
            parser.add_argument(f"--{name.replace('_', '-')}", action="store_true", help=f"{told}.")
        parser.add_argument("--all", action="store_true", dest="everything", help="Whether it is needed or not.")

    def run(self, *, everything: bool, **options: Any) -> Report:
        named = [name for name in STEPS if options[name]]
        actions = maintain(named or [name for name in STEPS if name not in NAMED_ONLY], everything=everything)
        self.failed = any("error" in action for action in actions)
        return {"actions": actions, "failed": sum("error" in action for action in actions)}

    def show(self, report: Report) -> None:
        table = Table(show_header=False, box=None)
        for action in report["actions"]:
            table.add_row(action["action"], action["object"], f"{action['seconds']} s", action.get("error", ""))
        self.console.print(table)
        self.console.print(f"{len(report['actions'])} done, {report['failed']} given up")
