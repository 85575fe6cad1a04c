"""`manage.py backups`: what there is, whether the database is there or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from rich.table import Table

from friren.operations.backup import settings
from friren.operations.backup.offsite import places
from friren.operations.backup.reports import of_stored
from friren.operations.backup.shelf import Shelf
from friren.operations.command import BaseFrirenCommand, Report

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "List the backups on disk, newest first; a damaged one makes the exit code 1."
    needs_database = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--directory", type=Path, help="Where, instead of BACKUP_DIR.")
        parser.add_argument("--elsewhere", action="store_true", help="Also where copies are kept.")

    def run(self, *, directory: Path | None, elsewhere: bool, **_: Any) -> Report:
        shelf = Shelf(directory or settings.directory())
        found = [of_stored(one) for one in shelf.stored()]
        self.failed = any("problem" in one for one in found)
        copies = {place.name: place.ids() for place in places()} if elsewhere else {}
        return {"directory": str(shelf.directory), "backups": found, "elsewhere": copies}

    def show(self, report: Report) -> None:
        table = Table("id", "bytes", "tables", "encrypted", "state", box=None)
        table.columns[0].no_wrap = True
        for one in report["backups"]:
            state = "verified" if one["verified"] else one.get("problem", "not verified")
            state += f", builds on {one['parent'].rpartition('-')[2]}" if one.get("parent") else ""
            table.add_row(one["id"], *(str(one.get(name, "")) for name in ("bytes", "tables", "encrypted")), state)
        self.console.print(table)
        for place, ids in report["elsewhere"].items():
            self.console.print(f"{len(ids)} in {place}: {', '.join(ids)}", markup=False, soft_wrap=True)
        self.console.print(f"{len(report['backups'])} backups in {report['directory']}", markup=False, soft_wrap=True)
