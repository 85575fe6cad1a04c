"""`manage.py import_prices`: bars from CSV files and LEAN zips."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from rich.markup import escape
from rich.table import Table

from friren.operations.command import BaseFrirenCommand, Report
from trading_engine.data.importers.lean_prices import LeanMarket
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.importers.price_files import read_prices
from trading_engine.management.arguments import date_format, price_source, ticker, timeframe, timezone, watched
from trading_engine.services.price_imports import FileImport, import_prices
from trading_engine.services.price_recorder import PriceRecorder

__all__ = ["Command"]

COUNTS = ("inserted", "duplicates", "conflicts", "revised", "rejected", "suspect", "journaled")
LINES_SHOWN = 20


class Command(BaseFrirenCommand):
    help = "Import bars from CSV files or LEAN zips. Importing a file again adds nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("files", nargs="+", type=Path, metavar="FILE")
        add("--symbol", type=ticker, help="Ticker; else the file's own, else its name up to the first _ or dot.")
        add("--venue", default="", help="Where it trades, if that matters.")
        add("--timezone", type=timezone, help="Zone of stamps without offset: UTC; LEAN equities: America/New_York.")
        add("--date-format", type=date_format, help="DMY, MDY or a strptime pattern, where a file leaves it open.")
        add("--timeframe", type=timeframe, help="1m, 1h, 1d, …; else told from the spacing of the stamps.")
        add("--source", type=price_source, help="Who says so: csv or lean if not given.")
        add("--market", type=LeanMarket, choices=list(LeanMarket), help="Of a LEAN zip whose figures do not tell.")
        add("--revise", action="store_true", help="Replace stored bars that differ; the old values are kept.")

    def run(self, *, files: list[Path], symbol: str | None, venue: str, revise: bool, **options: Any) -> Report:
        how = {name: options[name] for name in ("timezone", "date_format", "timeframe", "source", "market")}
        done: list[FileImport] = []
        unreadable: list[UnreadableFileError] = []
        with PriceRecorder() as recorder, watched() as bar:
            for path in files:
                try:
                    parsed = read_prices(path, symbol=symbol, **how)
                    task = bar.add_task(path.name, total=parsed.lines)
                    done.append(
                        import_prices(
                            parsed,
                            recorder=recorder,
                            venue=venue,
                            revise=revise,
                            progress=partial(bar.advance, task),
                        )
                    )
                except UnreadableFileError as exc:
                    unreadable.append(exc)
        for failure in unreadable:
            self.stderr.write(f"error: {failure}", self.style.ERROR)
        self.failed = bool(unreadable) or not any(
            each.inserted + each.duplicates + each.conflicts + each.journaled for each in done
        )
        return _report(done, unreadable)

    def show(self, report: Report) -> None:
        table = Table("file", "symbol", "timeframe", *COUNTS, box=None)
        for each in report["files"]:
            figures = (str(each[name]) for name in COUNTS)
            table.add_row(escape(Path(each["file"]).name), escape(each["symbol"]), each["timeframe"], *figures)
        self.console.print(table)
        for kind in ("rejected_rows", "changed_rows", "suspect_rows"):
            for row in report[kind][:LINES_SHOWN]:
                place = f"{Path(row['file']).name}:{row['line']}: {row['field']} {row['value']!r}: {row['rule']}"
                self.console.print(escape(place), highlight=False, soft_wrap=True)
            if (more := len(report[kind]) - LINES_SHOWN) > 0:
                self.console.print(f"… and {more} more {kind.replace('_', ' ')}; --json lists them")


def _report(done: list[FileImport], unreadable: list[UnreadableFileError]) -> Report:
    def rows(kind: str) -> list[dict[str, Any]]:
        return [
            {"file": each.file, "line": row.line, "field": row.field, "value": row.value, "rule": row.rule}
            for each in done
            for row in getattr(each, kind)
        ]

    described = ("file", "symbol", "timeframe", "source", *COUNTS)
    return {
        **{name: sum(getattr(each, name) for each in done) for name in COUNTS},
        "files": [{name: getattr(each, name) for name in described} for each in done],
        "rejected_rows": rows("rejected_rows"),
        "suspect_rows": rows("suspect_rows"),
        "changed_rows": rows("changed_rows"),
        "conflict_rows": [{"file": each.file, "line": line} for each in done for line in each.conflict_lines],
        "unreadable": [{"file": exc.value, "rule": exc.rule} for exc in unreadable],
    }
