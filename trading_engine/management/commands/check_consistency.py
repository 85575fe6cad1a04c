"""`manage.py check_consistency`: whether files and database say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from rich.markup import escape

from friren.operations.command import BaseFrirenCommand, Report
from trading_engine.data.storage.mode import json_root
from trading_engine.management.arguments import positive
from trading_engine.services.consistency import check_consistency

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Compare the files of a system with the database, record by record; name what differs."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("tables", nargs="*", metavar="TABLE", help="Of these alone; all unless given.")
        add("--account", default="prescient", metavar="NAME", help="Whose tables; prescient unless given.")
        add("--root", type=Path, help="Folder of the files; FRIREN_JSON_DIR unless given.")
        add("--require-clean", type=positive, default=1, metavar="N", help="Fail before N clean checks in a row.")

    def run(self, *, tables: list[str], account: str, root: Path | None, require_clean: int, **_: Any) -> Report:
        report = check_consistency(account, root=root or json_root(), tables=tables, require_clean=require_clean)
        self.failed = not report["ok"]
        return report

    def show(self, report: Report) -> None:
        for name, table in report["per_table"].items():
            count, same = table["count"], "the same" if table["ok"] else f"{table['differing']} differ"
            self.console.print(f"{name}: {count['file']} in the file, {count['database']} in the database: {same}")
            for one in table["differences"]:
                self.console.print(escape(f"  {one}"), highlight=False, soft_wrap=True)
        wanted = report["require_clean"]
        self.console.print(f"{report['clean_in_a_row']} clean in a row" + (f", {wanted} wanted" if wanted > 1 else ""))
