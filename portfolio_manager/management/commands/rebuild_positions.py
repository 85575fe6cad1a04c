"""`manage.py rebuild_positions`: are the books what the facts say?"""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import CommandParser
from rich.table import Table

from friren.accounts import find_account
from friren.core.models import Account
from friren.operations.command import BaseFrirenCommand, Report
from portfolio_manager.booking.rebuild import rebuild_account

__all__ = ["Command"]

# Enough to see what is wrong; a book that differs in more has one cause.
SHOWN_MAX: Final = 100


class Command(BaseFrirenCommand):
    help = "Fold positions and cash anew from the facts and replace what differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="Only compare; exit code 1 if anything differs.")
        parser.add_argument("--account", action="append", metavar="NAME", help="Only this one; may be repeated.")

    def run(self, *, check: bool, account: list[str] | None, **_: Any) -> Report:
        if account:
            accounts = [(find_account(name).id, name) for name in account]
        else:
            accounts = list(Account.objects.order_by("name", "id").values_list("id", "name"))
        positions = differences = 0
        found: list[dict[str, str]] = []
        for key, name in accounts:
            book = rebuild_account(key, check=check)
            positions += book.positions
            differences += len(book.differences)
            told = (
                {"account": name, "table": one.table, "id": str(one.id), "what": one.what} for one in book.differences
            )
            found += list(told)[: SHOWN_MAX - len(found)]
        self.failed = check and differences > 0
        return {"accounts": len(accounts), "positions": positions, "differences": differences, "found": found}

    def show(self, report: Report) -> None:
        table = Table("account", "row", "what", box=None)
        for one in report["found"]:
            table.add_row(one["account"], f"{one['table']} {one['id']}", one["what"])
        if report["found"]:
            self.console.print(table)
        said = "differ" if self.failed else "differed and were replaced" if report["differences"] else "differ"
        self.console.print(
            f"{report['accounts']} accounts, {report['positions']} positions; {report['differences']} rows {said}"
        )
