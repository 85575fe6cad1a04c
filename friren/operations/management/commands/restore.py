"""`manage.py restore`: a dump into the database that is configured, or the whole server as it was at a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from friren.operations.backup import reports
from friren.operations.backup.moments import target_of
from friren.operations.backup.restoring import restore_backup
from friren.operations.backup.rewinding import restore_moment
from friren.operations.command import BaseFrirenCommand, Report

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Restore a dump into the configured, empty database, or the whole server as it was at a moment."
    needs_database = False  # it would be migrated, and then it is not empty

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("backup", nargs="?", help="A dump: its id, folder or file, or `latest`.")
        what.add_argument(
            "--to-time", help="The whole server as of this time, with its offset: 2026-01-05T14:00+00:00."
        )
        what.add_argument("--to-name", help="The whole server as of this restore point.")
        what.add_argument("--to-latest", action="store_true", help="The whole server with all that was archived.")
        parser.add_argument("--into", type=Path, help="With --to-…: a new data directory, not the embedded server's.")
        parser.add_argument("--timeline", type=int, help="With --to-…: along which to go, unless the newest.")
        parser.add_argument("--force", action="store_true",
                            help="Replace what is not empty; it is kept under another name.")  # fmt: skip
        parser.add_argument("--key-file", type=Path, help="The age private key, instead of BACKUP_DECRYPTION_KEY_FILE.")
        parser.add_argument("--directory", type=Path, help="Where the backups lie, instead of BACKUP_DIR.")

    def run(self, *, backup: str | None, into: Path | None, timeline: int | None, **options: Any) -> Report:
        common = {name: options[name] for name in ("force", "key_file", "directory")}
        if backup is None:
            target = target_of(options["to_time"], options["to_name"])
            return reports.of_rewound(restore_moment(target, into=into, timeline=timeline, **common))
        if into is not None or timeline is not None:
            raise CommandError("--into and --timeline go with --to-time, --to-name or --to-latest", returncode=2)
        return reports.of_restored(restore_backup(backup, **common))

    def show(self, report: Report) -> None:
        for line in reports.told_of_rewound(report) if "target" in report else reports.told_of_restored(report):
            self.console.print(line, markup=False, soft_wrap=True)
