"""`manage.py upgrade`: the database as this code wants it, or as it was."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.core.management.base import CommandParser

from friren.operations.command import BaseFrirenCommand, Report
from friren.operations.limits import without_time_limits
from friren.operations.upgrading import UpgradeStep, plan_upgrade, roll_back, upgrade

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = (
        "Back up, prove the backup, migrate and ask for health; on any failure restore the backup. "
        "Goes on with an upgrade that was killed."
    )
    needs_database = False  # the embedded one would be migrated at once

    def add_arguments(self, parser: CommandParser) -> None:
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--dry-run", action="store_true", help="Change nothing: print what would be done.")
        mode.add_argument("--rollback", action="store_true", help="Undo an upgrade that was killed.")

    def run(self, *, dry_run: bool, rollback: bool, **_: Any) -> Report:
        steps: list[UpgradeStep] = []
        with without_time_limits():
            for step in plan_upgrade() if dry_run else roll_back() if rollback else upgrade():
                steps.append(step)
                if not self.as_json:
                    self._tell(step)
        self.failed = any(step.outcome == "failed" for step in steps)
        return {"ok": not self.failed, "steps": [dataclasses.asdict(step) for step in steps]}

    def show(self, report: Report) -> None:
        """Each step was told when it ended."""

    def _tell(self, step: UpgradeStep) -> None:
        line = f"{step.outcome:<9} {step.step:<13} {step.seconds:7.1f} s  {step.detail}"
        self.console.print(line, markup=False, soft_wrap=True, highlight=False)
