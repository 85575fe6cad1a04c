"""`manage.py dead_letters`: records that could not be stored."""

from __future__ import annotations

from typing import Any

import msgspec
from django.core.management.base import CommandError, CommandParser
from rich.table import Table

from friren.operations.command import BaseFrirenCommand, Report
from friren.persistence.choices import Shelf
from friren.persistence.dead_letters import chosen, drop, open_letters, retry, told

__all__ = ["Command"]

LISTED = ("id", "kind", "shelf", "first_seen_at", "attempts", "error")


class Command(BaseFrirenCommand):
    help = "List records that could not be stored, show one, try again, or give up."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=("list", "show", "retry", "drop"))
        parser.add_argument("ids", nargs="*", type=int, metavar="ID")
        parser.add_argument("--all", action="store_true", dest="everything", help="All that are open.")
        parser.add_argument("--shelf", choices=Shelf.values, help="Only those of this shelf.")
        parser.add_argument("--limit", type=int, default=100, help="How many are listed; 100 unless given.")

    def run(self, *, action: str, ids: list[int], everything: bool, shelf: str | None, limit: int, **_: Any) -> Report:
        letters = open_letters(shelf=shelf)
        if action == "list":
            listed = [{name: getattr(letter, name) for name in LISTED} for letter in letters[: max(limit, 0)]]
            return {"open": letters.count(), "letters": listed}
        if bool(ids) == everything:
            raise CommandError(f"{action} wants the ids of dead letters, or --all", returncode=2)
        letters = chosen(ids, everything=everything, shelf=shelf)
        if action == "show":
            return {"letters": [told(letter) for letter in letters]}
        if action == "drop":
            return {"dropped": drop(letters), "open": open_letters().count()}
        done = retry(letters)
        self.failed = done.failed > 0
        return {**msgspec.structs.asdict(done), "open": open_letters().count()}

    def show(self, report: Report) -> None:
        letters = report.get("letters")
        if letters is None or (letters and "payload" in letters[0]):
            for entry in [report] if letters is None else letters:
                super().show(entry)
            return
        table = Table(*(name.replace("_", " ") for name in LISTED), box=None)
        for letter in letters:
            table.add_row(*(str(letter[name]) for name in LISTED))
        self.console.print(table if letters else "no dead letters")
