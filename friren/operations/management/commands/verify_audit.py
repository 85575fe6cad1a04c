"""`manage.py verify_audit`: are the facts that were sealed as they were?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import CommandError, CommandParser

from friren.operations import audit
from friren.operations.command import BaseFrirenCommand, Report

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Read every sealed row again and name the first that is not as it was; exit code 1 when there is one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--head", type=Path, metavar="FOLDER", help="Of another installation's exported head.")
        parser.add_argument(
            "--public-key", type=Path, action="append", default=[], metavar="FILE",
            help="Trusted instead of the keys used here; may be repeated.",
        )  # fmt: skip
        parser.add_argument(
            "--expect", action="append", default=[], metavar="SEQ:HASH",
            help="A block that must be there, as a backup's manifest has it; may be repeated.",
        )  # fmt: skip

        parser.add_argument(
            "--digests", action="store_true", help="Also work out the digest of every fact anew; ten times slower."
        )

    def run(self, *, head: Path | None, public_key: list[Path], expect: list[str], digests: bool, **_: Any) -> Report:
        expected = [_expected(one) for one in expect]
        found = audit.verify(folder=head, public_keys=public_key, expected=expected, digests=digests)
        self.failed = not found.ok
        return {"ok": found.ok, **msgspec.structs.asdict(found)}

    def show(self, report: Report) -> None:
        super().show({name: report[name] for name in ("blocks", "rows", "exported", "unsealed", "faults")})
        for fault in report["found"]:
            row = f"{fault.table} {fault.id}".strip() or "the exported head"
            self.console.print(f"{row}: {fault.what}", markup=False, soft_wrap=True)
        self.console.print("as it was sealed" if report["ok"] else "NOT as it was sealed")


def _expected(text: str) -> audit.Expectation:
    seq, _, digest = text.partition(":")
    if not seq.isdecimal() or not digest:
        raise CommandError(f"--expect {text}: write the number of a block, a colon, and its hash", returncode=2)
    return audit.Expectation(int(seq), digest)
