"""`manage.py archive_json`: put files aside that nothing reads any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from friren.operations.command import BaseFrirenCommand, Report
from trading_engine.data.storage.mode import current_mode, json_root
from trading_engine.services.json_archive import archive_json

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Move the JSON files that were left behind to another folder, with their SHA-256."

    needs_database = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="Where to.")
        parser.add_argument("--root", type=Path, help="Folder of the files; FRIREN_JSON_DIR unless given.")

    def run(self, *, to: Path, root: Path | None, **_: Any) -> Report:
        return archive_json(root or json_root(), to, mode=current_mode())

    def show(self, report: Report) -> None:
        for one in report["files"]:
            self.console.print(f"{one['sha256']}  {one['path']}", highlight=False, soft_wrap=True)
        self.console.print(f"{report['moved']} files moved to {report['to']}", highlight=False, soft_wrap=True)
