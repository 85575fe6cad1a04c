"""`manage.py migration_status`: which phase of leaving the files this is, and what shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from friren.operations.command import BaseFrirenCommand, Report
from trading_engine.data.storage.mode import json_root
from trading_engine.management.arguments import positive
from trading_engine.services.consistency import migration_status

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Name the phase of leaving JSON behind, and whether those before it are proven."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", default="prescient", metavar="NAME", help="Whose; prescient unless given.")
        parser.add_argument("--root", type=Path, help="Folder of the files; FRIREN_JSON_DIR unless given.")
        parser.add_argument("--require-clean", type=positive, default=1, metavar="N", help="Clean checks that prove.")

    def run(self, *, account: str, root: Path | None, require_clean: int, **_: Any) -> Report:
        report = migration_status(account, root=root or json_root(), require_clean=require_clean)
        self.failed = not report["ok"]
        return report

    def show(self, report: Report) -> None:
        for one in report["phases"]:
            self.console.print(f"{one.phase} {one.state:8} {one.name}: {one.why}", highlight=False, soft_wrap=True)
        for warning in report["warnings"]:
            self.console.print(f"warning: {warning}", highlight=False, soft_wrap=True)
