"""`manage.py restore`: a backup into the database that is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from friren.operations.backup.reports import of_manifest
from friren.operations.backup.restoring import restore_backup
from friren.operations.command import BaseFrirenCommand, Report

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Restore a backup into the configured database, which must be empty unless --force is given."
    needs_database = False  # it would be migrated, and then it is not empty

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("backup", help="Its id, folder or file, or `latest`.")
        parser.add_argument("--force", action="store_true",
                            help="Replace a database that is not empty; it is kept under another name.")  # fmt: skip
        parser.add_argument("--key-file", type=Path, help="The age private key, instead of BACKUP_DECRYPTION_KEY_FILE.")
        parser.add_argument("--directory", type=Path, help="Where the backups lie, instead of BACKUP_DIR.")

    def run(self, *, backup: str, force: bool, key_file: Path | None, directory: Path | None, **_: Any) -> Report:
        found = restore_backup(backup, force=force, directory=directory, key_file=key_file)
        return {
            **of_manifest(found.manifest, found.path, verified=True),
            "seconds": found.seconds,
            "database": found.database,
            "kept": found.kept,
            "skipped": found.skipped,
        }

    def show(self, report: Report) -> None:
        rows = sum(table["rows"] for table in report["tables"].values())
        size = f"{len(report['tables'])} tables with {rows} rows"
        lines = [
            f"{report['id']} is restored into {report['database']} in {report['seconds']:.1f} s, equal: {size}",
            *(f"  not restored or not compared: {what}" for what in report["skipped"]),
            "`manage.py migrate` applies what the code has since added.",
        ]
        if report["kept"]:
            lines.append(f"The database that was there is now {report['kept']}; drop it when you no longer need it.")
        for line in lines:
            self.console.print(line, markup=False, soft_wrap=True)
