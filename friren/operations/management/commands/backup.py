"""`manage.py backup`: a dump with the proof of what is in it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from friren.operations.backup.dumping import CUSTOM, FORMATS
from friren.operations.backup.making import make_backup
from friren.operations.backup.offsite import copy_backups
from friren.operations.backup.reports import of_manifest
from friren.operations.backup.shelf import Shelf
from friren.operations.command import BaseFrirenCommand, Report

__all__ = ["Command"]

KINDS = ("daily", "weekly", "pre_phase", "manual")


class Command(BaseFrirenCommand):
    help = "Dump the database, with rows and digest of every table, into a folder of its own."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--kind", choices=KINDS, default="manual", help="How long it is kept goes by this.")
        parser.add_argument("--label", default="", help="A word for people, part of the name: the phase that begins.")
        parser.add_argument("--format", choices=sorted(FORMATS), default=CUSTOM, dest="form",
                            help="custom: for pg_restore, compressed; plain: SQL, for psql.")  # fmt: skip
        parser.add_argument("--encrypt", action="store_true", help="Refuse to write what is not encrypted.")
        parser.add_argument("--directory", type=Path, help="Where, instead of BACKUP_DIR.")

    def run(self, *, kind: str, label: str, form: str, encrypt: bool, directory: Path | None, **_: Any) -> Report:
        made = make_backup(kind=kind.upper(), label=label, form=form, encrypt=encrypt, directory=directory)
        copies = copy_backups(Shelf(made.path.parent.parent)) if directory is None else []
        self.failed = any(one.problem for one in copies)
        report = of_manifest(made.manifest, made.path, verified=False)
        return {**report, "copies": [dataclasses.asdict(one) for one in copies]}

    def show(self, report: Report) -> None:
        rows = sum(table["rows"] for table in report["tables"].values())
        copies = [one["problem"] or f"{len(one['copied'])} to {one['place']}" for one in report["copies"]]
        super().show(
            {**report, "copies": ", ".join(copies) or "none", "tables": f"{len(report['tables'])} with {rows} rows"}
        )
