"""`manage.py verify_backup`: a backup is one once it was restored and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from friren.operations.backup.reports import of_manifest, size_of
from friren.operations.backup.verifying import verify_backup
from friren.operations.command import BaseFrirenCommand, Report

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Restore a backup into a scratch server and compare every table with what was dumped."
    needs_database = False  # a drill is worth having while the database is away

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("backup", nargs="?", default="latest", help="Its id, folder or file; the latest if none.")
        parser.add_argument("--key-file", type=Path, help="The age private key, instead of BACKUP_DECRYPTION_KEY_FILE.")
        parser.add_argument("--directory", type=Path, help="Where the backups lie, instead of BACKUP_DIR.")

    def run(self, *, backup: str, key_file: Path | None, directory: Path | None, **_: Any) -> Report:
        found = verify_backup(backup, directory=directory, key_file=key_file)
        self.failed = bool(found.differences)
        return {
            **of_manifest(found.manifest, found.path, verified=not found.differences),
            "seconds": found.seconds,
            "server_version": found.server_version,
            "differences": found.differences,
            "skipped": found.skipped,
            "noted": found.noted,
        }

    def show(self, report: Report) -> None:
        state = "equal" if report["verified"] else "differs"
        self.console.print(
            f"{report['id']}: {state}, {size_of(report)}, restored into "
            f"PostgreSQL {report['server_version']} in {report['seconds']:.1f} s",
            soft_wrap=True,
        )
        for what in report["differences"]:
            self.console.print(f"  {what}", markup=False, soft_wrap=True)
        for what in report["skipped"]:
            self.console.print(f"  not compared: {what}", markup=False, soft_wrap=True)
