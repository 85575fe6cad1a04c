"""
The base of every command of Friren: parse, call one service, print.

    class Command(BaseFrirenCommand):
        help = "Refold positions and cash from the facts."

        def add_arguments(self, parser):
            parser.add_argument("--check", action="store_true", help="Compare only.")

        def run(self, **options) -> Report:
            return {"accounts": 3, "positions": 12, "differences": 0}

`--json` prints the report as one JSON object on stdout; people see `show(report)`, a table unless overridden.
An expected error is one plain line on stderr and exit code 1; wrong usage exits with 2.
"""

from __future__ import annotations

import json
import sys
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NoReturn

from django.core.checks import Tags
from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError
from django_rich.management import RichCommand
from rich.table import Table

import friren
from friren.errors import FrirenError
from friren.operations.connectivity import explain
from friren.operations.jsontext import json_ready
from friren.operations.limits import without_time_limits

__all__ = ["BaseFrirenCommand", "Report"]

Report = Mapping[str, Any]


class BaseFrirenCommand(RichCommand):
    """A command with `--json`, plain errors and a ready database."""

    # They still work; `--help` has enough to say without them.
    # What would be unsafe in production; whether models and pages are sound is for `manage.py check`, and the tests.
    requires_system_checks = (Tags.security,)

    suppressed_base_arguments = {"--version", "--settings", "--pythonpath", "--skip-checks"}

    needs_database = True
    """Whether the embedded database is started and migrated first (a server is only looked at)."""

    time_limits = False
    """Whether the time limits of ordinary statements apply; most commands do in one what takes long."""

    failed = False
    """Set by `run` when the report tells of a failure: the exit code is 1, after the report is printed."""

    as_json = False
    """Whether stdout belongs to one JSON object; progress is for people and goes to `self.console` otherwise."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Add `--json` to every command of ours."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print one JSON object.")
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command and print its report. Subclasses override `run`, not this."""
        self.failed = False
        self.as_json = options.pop("as_json", False)
        try:
            report = self._run(*args, **options)
            if report is not None:
                self._print(report)
        except (FrirenError, DatabaseError) as exc:
            if options.get("traceback"):
                raise
            self._refuse(explain(exc), cause=exc)
        except CommandError as exc:
            self._refuse(str(exc), cause=exc, code=exc.returncode)
        if self.failed:
            sys.exit(1)

    @abstractmethod
    def run(self, *args: Any, **options: Any) -> Report | None:
        """Do the work by calling one service, and return its report; None if nothing is to be printed."""

    def show(self, report: Report) -> None:
        """Print the report for people."""
        table = Table(show_header=False, box=None)
        for name, value in report.items():
            table.add_row(name.replace("_", " "), str(json_ready(value)))
        self.console.print(table)

    def _run(self, *args: Any, **options: Any) -> Report | None:
        if not self.needs_database:
            return self.run(*args, **options)
        friren.setup()
        if self.time_limits:
            return self.run(*args, **options)
        with without_time_limits():
            return self.run(*args, **options)

    def _print(self, report: Report) -> None:
        if self.as_json:
            self.stdout.write(json.dumps(json_ready(report), ensure_ascii=False, allow_nan=False))
        else:
            self.show(report)

    def _refuse(self, message: str, *, cause: Exception, code: int = 1) -> NoReturn:
        # From a terminal: the plain line. From call_command: an exception that a caller can catch.
        if getattr(self, "_called_from_command_line", False):
            self.stderr.write(f"error: {message}", self.style.ERROR)
            sys.exit(code)
        raise CommandError(message, returncode=code) from cause
