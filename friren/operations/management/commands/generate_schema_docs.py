"""`manage.py generate_schema_docs`: the page of the tables."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from friren.operations.command import BaseFrirenCommand, Report
from friren.operations.schema_docs import first_difference, page_path, schema_page

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Write docs/reference/schema.md from the models and migrations; no database is asked."
    needs_database = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="Only compare; exit code 1 when the page lags.")

    def run(self, *, check: bool, **_: Any) -> Report:
        path, wanted = page_path(), schema_page()
        difference = first_difference(wanted, path.read_text(encoding="utf-8") if path.exists() else "")
        if not check and difference:
            path.write_text(wanted, encoding="utf-8")
        self.failed = check and difference is not None
        return {"ok": not self.failed, "path": path, "first_difference": difference, "written": not check}

    def show(self, report: Report) -> None:
        if not report["ok"]:
            told = f"{report['path']}: {report['first_difference']}. Run `manage.py generate_schema_docs`."
        else:
            told = f"{report['path']}: {'as the models say' if not report['first_difference'] else 'written'}"
        self.console.print(told, markup=False, soft_wrap=True)
