"""`manage.py backup`: a dump with the proof of what is in it, or the whole server."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from friren.operations.backup.bases import make_base
from friren.operations.backup.dumping import CUSTOM, FORMATS
from friren.operations.backup.making import make_backup
from friren.operations.backup.offsite import copy_backups
from friren.operations.backup.reports import of_manifest, size_of
from friren.operations.backup.shelf import Shelf
from friren.operations.command import BaseFrirenCommand, Report

__all__ = ["Command"]

KINDS = ("daily", "weekly", "pre_phase", "manual")


class Command(BaseFrirenCommand):
    help = "Dump the database, with rows and digest of every table, or back up the whole server (--base)."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--kind", choices=KINDS, default="manual", help="How long it is kept goes by this.")
        what.add_argument("--base", action="store_true", help="The whole server, for any moment from then on.")
        what.add_argument("--incremental", action="store_true", help="What has changed since the last of these.")
        parser.add_argument("--label", default="", help="A word for people, part of the name: the phase that begins.")
        parser.add_argument("--format", choices=sorted(FORMATS), default=CUSTOM, dest="form",
                            help="custom: for pg_restore, compressed; plain: SQL, for psql.")  # fmt: skip
        parser.add_argument("--encrypt", action="store_true", help="Refuse to write what is not encrypted.")
        parser.add_argument("--directory", type=Path, help="Where, instead of BACKUP_DIR.")

    def run(
        self, *, kind: str, base: bool, incremental: bool, form: str, directory: Path | None, **rest: Any
    ) -> Report:
        common = {"label": rest["label"], "encrypt": rest["encrypt"], "directory": directory}
        whole = base or incremental
        made = (
            make_base(incremental=incremental, **common)
            if whole
            else make_backup(kind=kind.upper(), form=form, **common)
        )
        copies = copy_backups(Shelf(made.path.parent.parent)) if directory is None else []
        self.failed = any(one.problem for one in copies)
        report = of_manifest(made.manifest, made.path, verified=False)
        return {**report, "copies": [dataclasses.asdict(one) for one in copies]}

    def show(self, report: Report) -> None:
        copies = [one["problem"] or f"{len(one['copied'])} to {one['place']}" for one in report["copies"]]
        super().show({**report, "copies": ", ".join(copies) or "none", "tables": size_of(report)})
