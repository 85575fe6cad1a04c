"""`manage.py unarchive`: archived rows back into their tables."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from friren.operations.archive.ages import moment_of
from friren.operations.archive.reports import of_archive, show_lines, unarchive_all
from friren.operations.archive.service import unarchive_run
from friren.operations.command import BaseFrirenCommand, Report

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Move rows back from the archive, by model and time or by the number of a run; with --cold from Parquet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", action="append", default=[], metavar="NAME", help="Of this; may be repeated.")
        parser.add_argument("--since", metavar="AGE|DATE", help="Only rows of then and later.")
        parser.add_argument("--until", metavar="AGE|DATE", help="Only rows before then.")
        parser.add_argument("--run", type=int, metavar="N", help="What lies within the bounds of this run.")
        parser.add_argument("--cold", metavar="DIR|s3://…", help="Bring the months back first that lie there.")
        parser.add_argument("--dry-run", action="store_true", help="Only count.")

    def run(self, *, model: list[str], run: int | None, cold: str | None, dry_run: bool, **options: Any) -> Report:
        if (run is None) == (not model) or (run is not None and (cold or options["since"] or options["until"])):
            raise CommandError("give either --model (with --since, --until, --cold) or --run", returncode=2)
        if run is not None:
            return of_archive(unarchive_run(run, dry_run=dry_run), [], dry_run=dry_run)
        now = timezone.now()
        until = moment_of(options["until"], now=now) if options["until"] else now
        since = moment_of(options["since"], now=now) if options["since"] else None
        moved, files = unarchive_all(model, since=since, until=until, cold=cold, dry_run=dry_run)
        return of_archive(moved, files, dry_run=dry_run)

    def show(self, report: Report) -> None:
        for line in show_lines(report, verb="brought back"):
            self.console.print(line, markup=False, soft_wrap=True)
