"""`manage.py reconcile`: does the book say what the venue says?"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandParser
from rich.markup import escape
from rich.table import Table

from friren.accounts import find_account
from friren.operations.command import BaseFrirenCommand, Report
from portfolio_manager.models.choices import BreakKind
from portfolio_manager.reconciliation.reports import reconciliation_report
from portfolio_manager.reconciliation.service import TIME_TOLERANCE, reconcile
from portfolio_manager.reconciliation.statements import JSON, STATEMENT_SOURCES, read_statement
from trading_engine.data.importers.mapping import read_mapping
from trading_engine.management.arguments import balance, date_format, moment, timezone

__all__ = ["Command"]

SHOWN_MAX: Final = 100


class Command(BaseFrirenCommand):
    help = "Compare a venue's statement with the book; exit code 1 while anything differs."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--statement", type=Path, required=True, metavar="FILE", help="What the venue says.")
        add("--account", required=True, metavar="NAME", help="The books.")
        add("--source", choices=STATEMENT_SOURCES, help="Which system wrote it; json for .json, else csv.")
        add("--adopt", action="store_true", help="Record what the book lacks.")
        add("--positions", type=Path, metavar="FILE", help="A table of what the venue holds: symbol, quantity.")
        add("--cash", type=balance, action="append", metavar="CURRENCY=AMOUNT", help="A balance; may be repeated.")
        add("--venue", default="", help="csv, json: of fills that name none.")
        add("--since", type=moment, help="What the fills cover, if it is more than from the first of them on.")
        add("--until", type=moment, help="What they cover, if it is more than up to the last of them.")
        add("--as-of", type=moment, help="When positions and cash were so; now unless given.")
        add("--time-tolerance", type=float, default=TIME_TOLERANCE.total_seconds(), metavar="SECONDS",
            help="How far apart the times of one fill may be (default: %(default)s). Money is exact.")  # fmt: skip
        add("--mapping", type=Path, metavar="FILE", help="csv, json: which column is what, in TOML or JSON.")
        add("--timezone", type=timezone, help="csv: zone of stamps without offset; UTC unless given.")
        add("--date-format", type=date_format, help="csv: DMY, MDY or a strptime pattern.")

    def run(self, *, statement: Path, account: str, adopt: bool, time_tolerance: float, **options: Any) -> Report:
        book, mapping = find_account(account), options["mapping"]
        told = read_statement(
            statement,
            account=book,
            source=options["source"] or (JSON if statement.suffix.casefold() == ".json" else "csv"),
            mapped=read_mapping(mapping) if mapping else None,
            cash=dict(options["cash"] or ()),
            **{name: options[name] for name in ("venue", "positions", "timezone", "date_format")},
        )
        for name in ("since", "until", "as_of"):
            setattr(told, name, options[name] or getattr(told, name))
        found = reconcile(told, account=book, adopt=adopt, tolerance=dt.timedelta(seconds=time_tolerance))
        self.failed = bool(found.open or found.issues)
        return reconciliation_report(found, statement=statement, account=account)

    def show(self, report: Report) -> None:
        table = Table("kind", "what", "field", "ours", "theirs", "resolution", box=None)
        for one in report["breaks"][:SHOWN_MAX]:
            table.add_row(*(escape(one[name]) for name in ("kind", "what", "field", "ours", "theirs", "resolution")))
        if report["breaks"]:
            self.console.print(table)
        for one in report["unreadable"][:SHOWN_MAX]:
            self.console.print(escape(f"line {one['line']}: {one['field']} {one['rule']}"), soft_wrap=True)
        counts = ", ".join(f"{report[kind.value.lower()]} {kind.value.lower()}" for kind in BreakKind)
        self.console.print(
            f"{report['fills']} fills, {report['matched']} in the book: {counts}; "
            f"{report['adopted']} adopted, {report['corrected']} of earlier ones gone, {report['open']} open"
        )
