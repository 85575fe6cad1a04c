"""`manage.py prune_backups`: remove the backups that nothing asks to be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from friren.operations.backup.pruning import prune_backups
from friren.operations.command import BaseFrirenCommand, Report

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Remove daily and weekly backups that are older than they are kept, never below a minimum."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be removed.")
        parser.add_argument("--directory", type=Path, help="Where the backups lie, instead of BACKUP_DIR.")

    def run(self, *, dry_run: bool, directory: Path | None, **_: Any) -> Report:
        done = prune_backups(directory=directory, dry_run=dry_run)
        self.failed = any(one.problem for one in done.copies)
        return {
            "removed": done.plan.remove,
            "kept": done.plan.keep,
            "bytes": done.freed,
            "wal_bytes": done.freed_wal,
            "damaged": done.damaged,
            "copies": [{"place": one.place, "removed": one.copied, "problem": one.problem} for one in done.copies],
            "dry_run": dry_run,
        }

    def show(self, report: Report) -> None:
        verb = "would be removed" if report["dry_run"] else "removed"
        for name in report["removed"]:
            self.console.print(f"{name} {verb}", markup=False, soft_wrap=True)
        for name, reason in report["kept"].items():
            self.console.print(f"{name} kept: {reason}", markup=False, soft_wrap=True)
        for one in report["copies"]:
            told = one["problem"] or f"{len(one['removed'])} removed from {one['place']}"
            self.console.print(told, markup=False, soft_wrap=True)
        for name in report["damaged"]:
            self.console.print(f"{name} is damaged: remove it by hand", markup=False, soft_wrap=True)
        self.console.print(
            f"{len(report['removed'])} {verb}, {report['bytes']} bytes, and {report['wal_bytes']} of WAL",
            soft_wrap=True,
        )
