"""`manage.py copy_wal`: what the server has archived, to where copies of backups lie."""

from __future__ import annotations

import dataclasses
from typing import Any

from friren.operations.backup.wal_copies import copy_wal
from friren.operations.command import BaseFrirenCommand, Report

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Copy the archived WAL that BACKUP_EXTERNAL_DIR and BACKUP_S3_URL do not have yet."
    needs_database = False  # what it archived before it went away is worth copying then above all

    def run(self, **_: Any) -> Report:
        copies = copy_wal()
        self.failed = any(one.problem for one in copies)
        return {"copies": [dataclasses.asdict(one) for one in copies]}

    def show(self, report: Report) -> None:
        for one in report["copies"]:
            told = f"{len(one['copied'])} files of WAL copied to {one['place']}"
            self.console.print(f"{told}: {one['problem']}" if one["problem"] else told, markup=False, soft_wrap=True)
