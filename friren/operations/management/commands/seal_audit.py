"""`manage.py seal_audit`: facts that are new become signed blocks."""

from __future__ import annotations

from typing import Any

import msgspec
from django.core.management.base import CommandParser

from friren.operations import audit
from friren.operations.audit.sealing import WAIT_SECONDS
from friren.operations.command import BaseFrirenCommand, Report

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Seal the facts that are new into signed blocks, and export the head of their chain."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--wait", type=float, default=WAIT_SECONDS, metavar="SECONDS",
            help=f"For transactions that are running; {WAIT_SECONDS:g} unless given.",
        )  # fmt: skip
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--rotate-key", action="store_true", help="Sign with a new key from now on.")
        mode.add_argument(
            "--accept-restore", metavar="REASON", help="Go on from where a database ends that was restored on purpose."
        )

    def run(self, *, wait: float, rotate_key: bool, accept_restore: str | None, **_: Any) -> Report:
        if rotate_key:
            return {"key_id": audit.rotate_key()}
        if accept_restore is not None:
            return {"head": audit.accept_restore(reason=accept_restore)}
        report = audit.seal(wait=wait)
        self.failed = bool(report.altered)
        return msgspec.structs.asdict(report)
