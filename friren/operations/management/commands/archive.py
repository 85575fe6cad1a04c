"""`manage.py archive`: old rows out of the tables that are worked with."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from friren.operations.archive.ages import moment_of
from friren.operations.archive.reports import archive_all, of_archive, show_lines
from friren.operations.command import BaseFrirenCommand, Report

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Move old rows to tables of the same shape in schema archive; with --cold whole months go on to Parquet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", metavar="AGE|DATE", help="90d, 12w, 2024-01-31: instead of RETENTION_*.")
        parser.add_argument("--model", action="append", default=[], metavar="NAME", help="Only this; may be repeated.")
        parser.add_argument("--cold", metavar="DIR|s3://…", help="Where months that are over are written as Parquet.")
        parser.add_argument("--dry-run", action="store_true", help="Only count.")

    def run(self, *, older_than: str | None, model: list[str], cold: str | None, dry_run: bool, **_: Any) -> Report:
        now = timezone.now()
        before = None if older_than is None else moment_of(older_than, now=now)
        moved, files = archive_all(model, now=now, older_than=before, cold=cold, dry_run=dry_run)
        return of_archive(moved, files, dry_run=dry_run)

    def show(self, report: Report) -> None:
        for line in show_lines(report, verb="archived"):
            self.console.print(line, markup=False, soft_wrap=True)
