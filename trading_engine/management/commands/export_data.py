"""`manage.py export_data`: every row to files that anybody can read, and `import_data --source friren` reads back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from rich.table import Table

from friren.accounts import find_account
from friren.operations.command import BaseFrirenCommand, Report
from trading_engine.data.transfer.formats import FORMATS
from trading_engine.data.transfer.registry import left_out
from trading_engine.data.transfer.shapes import shapes
from trading_engine.management.arguments import watched
from trading_engine.services.data_exports import export_shape, export_tables

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Write every fact, series and reference table to files, exact to the last digit, with a manifest."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("folder", type=Path, help="A folder of its own: made if need be, refused if something is in it.")
        add("--format", choices=FORMATS, default="json", dest="form", help="JSON lines unless given.")
        add("--shape", choices=shapes(), help="The files of another system, in place of tables.")
        add("--account", metavar="NAME", help="Only the rows of these books, and those of nobody.")
        add("--table", action="append", default=[], metavar="MODEL", help="Only this one; may be repeated.")

    def run(
        self, *, folder: Path, form: str, shape: str | None, account: str | None, table: list[str], **_: Any
    ) -> Report:
        book = find_account(account) if account else None
        if shape is not None:
            files = export_shape(folder, shape=shape, account=book)
            return {"folder": str(folder), "shape": shape, "account": account, "files": files}
        with watched() as bar:
            task = bar.add_task("tables", total=None)
            manifest = export_tables(
                folder, form=form, account=book, tables=table,
                progress=lambda name, _rows: bar.update(task, advance=1, description=name),
            )  # fmt: skip
        return {
            "folder": str(folder),
            "format": form,
            "account": account,
            "rows": sum(one.rows for one in manifest.tables),
            "bytes": sum(one.bytes for one in manifest.tables),
            "tables": {
                one.name: {"rows": one.rows, "file": one.file, "sha256": one.sha256, "digest": one.digest}
                for one in manifest.tables
            },
            "left_out": left_out(),
        }

    def show(self, report: Report) -> None:
        if "shape" in report:
            for each in report["files"]:
                self.console.print(f"{each.file}: {each.records} records, {each.left_out} rows without a place in it")
            return
        table = Table("table", "rows", "file", box=None)
        for name, one in report["tables"].items():
            if one["rows"]:
                table.add_row(name, str(one["rows"]), one["file"])
        self.console.print(table)
        self.console.print(f"{report['rows']} rows in {len(report['tables'])} tables, {report['bytes']} bytes")
