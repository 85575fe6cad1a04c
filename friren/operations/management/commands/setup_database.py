"""`manage.py setup_database`: from nothing to a database that is ready."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.core.management.base import CommandParser

from friren.operations import grants, role_setup
from friren.operations.command import BaseFrirenCommand, Report
from friren.operations.provisioning import Step, plan, provision
from friren.operations.roles import PREFIX
from friren.operations.verification import verify as verify_database

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Make the roles, the database, its tables and seeds where they are missing. Safe to run again."
    needs_database = False

    def add_arguments(self, parser: CommandParser) -> None:
        roles = "Also make a role for each task, friren_owner and so on, each with its rights."
        parser.add_argument("--roles", nargs="?", const=PREFIX, metavar="PREFIX", help=roles)
        parser.add_argument("--ask", action="store_true", help="Ask for the passwords of these roles.")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--verify", action="store_true", help="Change nothing: check that everything is there.")
        mode.add_argument("--dry-run", action="store_true", help="Change nothing: print what would be done.")
        mode.add_argument("--sql", action="store_true", help="Change nothing: print roles and rights as SQL.")
        mode.add_argument(
            "--grant-writer", metavar="ROLE", help="Also give this role what a bot needs, and take all else from it."
        )

    def run(self, *, verify: bool, sql: bool, roles: str | None, grant_writer: str | None, **options: Any) -> Report:
        prefix = None if roles is None else role_setup.check_prefix(roles)
        if sql:
            return {"sql": role_setup.script(prefix or PREFIX)}
        made = (
            plan(prefix)
            if options["dry_run"]
            else verify_database()
            if verify
            else provision(prefix, ask=options["ask"])
        )
        steps = list(made)
        if grant_writer is not None:
            given = grants.grant_writer(grant_writer)
            steps.append(Step("grants", "done", f"{grant_writer} may write to {given} tables"))
        self.failed = any(step.outcome == "FAIL" for step in steps)
        return {"ok": not self.failed, "steps": [dataclasses.asdict(step) for step in steps]}

    def show(self, report: Report) -> None:
        lines = [f"{step['outcome']:<9} {step['step']:<10} {step['detail']}" for step in report.get("steps", ())]
        self.console.print(report.get("sql", "\n".join(lines)), markup=False, soft_wrap=True, highlight=False)
