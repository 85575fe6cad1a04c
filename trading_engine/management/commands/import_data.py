"""`manage.py import_data`: trades and markets out of the files of other systems."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from friren.accounts import AccountHandle
from friren.core.choices import Environment
from friren.operations.command import BaseFrirenCommand, Report
from friren.persistence.recorder import Recorder
from trading_engine.data.importers.mapping import read_mapping
from trading_engine.data.importers.records import ReadFiles
from trading_engine.data.importers.sources import SOURCES, read_files
from trading_engine.management.arguments import cash, date_format, timezone, watched
from trading_engine.services.data_imports import ImportedFile, import_file
from trading_engine.services.import_accounts import account_of
from trading_engine.services.whole_imports import importer_of, whole_sources

__all__ = ["Command"]

COUNTS: Final = ("records", "imported", "updated", "duplicates", "conflicts", "rejected", "journaled")
# Not shown to people where there is none.
SELDOM: Final = frozenset({"updated", "journaled"})
LINES_SHOWN: Final = 20


class Command(BaseFrirenCommand):
    help = "Import trades or markets from the files of another system. Importing them again adds nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("paths", nargs="+", type=Path, metavar="PATH", help="Files, or folders of them.")
        add("--source", required=True, choices=sorted({*SOURCES, *whole_sources()}), help="Which system wrote them.")
        add("--account", default="", metavar="NAME", help="The books; else those of the source, opened if needed.")
        add("--open", choices=Environment.values, dest="environment", help="Open the books if there are none.")
        add("--currency", default="", help="Base currency of books that are opened; the source's unless given.")
        add("--starting-cash", type=cash, help="Cash of books that are opened; the source's unless given.")
        add("--mapping", type=Path, metavar="FILE", help="csv: which column is what, in TOML or JSON.")
        add("--timezone", type=timezone, help="csv: zone of stamps without offset; UTC unless given.")
        add("--date-format", type=date_format, help="csv: DMY, MDY or a strptime pattern.")
        add("--dry-run", action="store_true", help="Read and compare, and store nothing.")

    def run(self, *, source: str, paths: list[Path], mapping: Path | None, dry_run: bool, **options: Any) -> Report:
        if source != "csv" and (mapping or options["timezone"] or options["date_format"]):
            raise CommandError("--mapping, --timezone and --date-format are for --source csv", returncode=2)
        how = {name: options[name] for name in ("timezone", "date_format")}
        done: list[ImportedFile] = []
        account = None
        whole = importer_of(source)
        if whole is not None:
            if any(options[name] for name in ("account", "environment", "currency", "starting_cash")):
                raise CommandError(f"--source {source} tells whose its rows are: no --account, no --open", returncode=2)
            read, done = whole(paths, dry_run=dry_run)
        else:
            read = read_files(source, paths, mapped=read_mapping(mapping) if mapping else None, **how)
        if read.files and whole is None:
            opening = {name: options[name] for name in ("account", "environment", "currency", "starting_cash")}
            if read.of_books:
                account = account_of(read.book, **opening, dry_run=dry_run)
            elif any(opening.values()):
                raise CommandError(f"what {source} tells belongs to no account: name none", returncode=2)
            done = _imported(read, account, dry_run=dry_run)
        read.unreadable += [each.broken for each in done if each.broken is not None]
        for failure in read.unreadable:
            self.stderr.write(f"error: {failure}", self.style.ERROR)
        taken = sum(each.imported + each.updated + each.duplicates + each.conflicts + each.journaled for each in done)
        # A bot that has not traded yet is no failure; files in which nothing is sound are one.
        self.failed = bool(read.unreadable) or not read.files or (not taken and any(each.records for each in done))
        return _report(source, account, read, done, dry_run=dry_run)

    def show(self, report: Report) -> None:
        shown = [name for name in COUNTS if name not in SELDOM or report[name]]
        table = Table("file", *shown, box=None)
        for each in report["files"]:
            table.add_row(escape(Path(each["file"]).name), *(str(each[name]) for name in shown))
        self.console.print(table)
        for kind in ("rejected_rows", "changed_rows", "conflict_rows", "skipped"):
            for row in report[kind][:LINES_SHOWN]:
                self.console.print(escape(_line(kind, row)), highlight=False, soft_wrap=True)
            if (more := len(report[kind]) - LINES_SHOWN) > 0:
                self.console.print(f"… and {more} more {kind.replace('_', ' ')}; --json lists them")
        if report["dry_run"]:
            self.console.print("Nothing was stored: this was a dry run.")


def _imported(read: ReadFiles, account: AccountHandle | None, *, dry_run: bool) -> list[ImportedFile]:
    recorder, done = Recorder(), []
    with watched() as bar:
        for file in read.files:
            task = bar.add_task(file.path.name, total=file.size)
            show = partial(_show_progress, bar, task)
            done.append(import_file(file, account=account, recorder=recorder, dry_run=dry_run, progress=show))
    recorder.close()
    return done


def _show_progress(bar: Progress, task: TaskID, read: int) -> None:
    bar.update(task, completed=read)


def _line(kind: str, row: dict[str, Any]) -> str:
    name = Path(row["file"]).name
    if kind == "skipped":
        return f"{name}: {row['rule']}"
    place = f"{name}:{row['line']}" + (f" {row['path']}" if row["path"] else "")
    if kind == "conflict_rows":
        told = (f"{field} is {each['stored']}, told as {each['told']}" for field, each in row["fields"].items())
        return f"{place}: {row['kind']} {row['external_id']}: {', '.join(told)}"
    return f"{place}: {row['field']} {row['value']!r}: {row['rule']}"


def _report(
    source: str, account: AccountHandle | None, read: ReadFiles, done: list[ImportedFile], *, dry_run: bool
) -> Report:
    def rows(kind: str) -> list[dict[str, Any]]:
        return [
            {"file": each.file, "line": row.line, "path": row.path, "field": row.field, "value": row.value,
             "rule": row.rule}
            for each in done
            for row in getattr(each, kind)
        ]  # fmt: skip

    return {
        "source": source,
        "account": account.name if account else None,
        "dry_run": dry_run,
        **{name: sum(getattr(each, name) for each in done) for name in COUNTS},
        "files": [{name: getattr(each, name) for name in ("file", *COUNTS)} for each in done],
        "rejected_rows": rows("rejected_rows"),
        "changed_rows": rows("changed_rows"),
        "conflict_rows": [{"file": each.file, **row} for each in done for row in each.conflict_rows],
        "skipped": [{"file": str(path), "rule": rule} for path, rule in read.skipped],
        "unreadable": [{"file": exc.value, "rule": exc.rule} for exc in read.unreadable],
    }
