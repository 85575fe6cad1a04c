"""`manage.py benchmark_reads`: the same reads from the files and from the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.table import Table

from friren.accounts import find_account
from friren.operations.command import BaseFrirenCommand, Report
from trading_engine.data.storage.mode import json_root
from trading_engine.management.arguments import positive
from trading_engine.services.read_benchmark import ROUNDS_MIN, benchmark_reads

__all__ = ["Command"]

COLUMNS = ("read", "records", "file_ms", "database_ms", "ratio", "same")


class Command(BaseFrirenCommand):
    help = "Time reads from the files and from the database; fail where the database is slower."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", default="prescient", metavar="NAME", help="Whose; prescient unless given.")
        parser.add_argument("--root", type=Path, help="Folder of the files; FRIREN_JSON_DIR unless given.")
        parser.add_argument("--rounds", type=positive, default=ROUNDS_MIN, help="Of which the median is taken.")

    def run(self, *, account: str, root: Path | None, rounds: int, **_: Any) -> Report:
        found = benchmark_reads(find_account(account), root or json_root(), rounds=rounds)
        if not found:
            raise CommandError(f"no files to read below {root or json_root()}")
        self.failed = not all(one.same and one.ratio >= 1 for one in found)
        return {"reads": found, "rounds": max(rounds, ROUNDS_MIN), "ok": not self.failed}

    def show(self, report: Report) -> None:
        table = Table(*(name.replace("_", " ") for name in COLUMNS), box=None)
        for one in report["reads"]:
            table.add_row(*(str(getattr(one, name)) for name in COLUMNS))
        self.console.print(table)
