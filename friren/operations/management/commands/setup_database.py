"""`manage.py setup_database`: from nothing to a database that is ready."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.core.management.base import CommandParser

from friren.operations import grants
from friren.operations.command import BaseFrirenCommand, Report
from friren.operations.provisioning import Step, plan, provision
from friren.operations.verification import verify as verify_database

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Make the role, the database, its tables and seeds where they are missing. Safe to run again."
    needs_database = False

    def add_arguments(self, parser: CommandParser) -> None:
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--verify", action="store_true", help="Change nothing: check that everything is there.")
        mode.add_argument("--dry-run", action="store_true", help="Change nothing: print what would be done.")
        mode.add_argument(
            "--grant-writer", metavar="ROLE", help="Also give this role what a bot needs, and take all else from it."
        )

    def run(self, *, verify: bool, dry_run: bool, grant_writer: str | None, **_: Any) -> Report:
        steps = plan() if dry_run else list(verify_database() if verify else provision())
        if grant_writer is not None:
            steps.append(
                Step("grants", "done", f"{grant_writer} may write to {grants.grant_writer(grant_writer)} tables")
            )
        self.failed = any(step.outcome == "FAIL" for step in steps)
        return {"ok": not self.failed, "steps": [dataclasses.asdict(step) for step in steps]}

    def show(self, report: Report) -> None:
        for step in report["steps"]:
            self.console.print(
                f"{step['outcome']:<9} {step['step']:<10} {step['detail']}", markup=False, soft_wrap=True
            )
