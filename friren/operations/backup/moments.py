"""What a server is restored to: a time, a restore point, or all that there is."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from friren.embedded.binaries import Binaries
from friren.errors import BackupError, shown
from friren.operations.backup.positions import lsn_of, lsn_text
from friren.operations.backup.programs import bare_environment, last_words

__all__ = ["Event", "Target", "events_of", "target_of"]

_COMMIT: Final = re.compile(r"lsn: (\S+), .* desc: (?:COMMIT|ABORT)\S*.*? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC")
_RESTORE_POINT: Final = re.compile(r"lsn: (\S+), .* desc: RESTORE_POINT (.*)$")


@dataclass(frozen=True, slots=True)
class Event:
    """Where recovery can stop: the end of a transaction at a time, or a restore point."""

    lsn: int
    at: dt.datetime | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """
    The state to restore: as of a time, of a named restore point, or the latest when neither is given.

    Attributes:
        at: aware; what was committed at this very moment is part of it.
        name: as `pg_create_restore_point` was told.
    """

    at: dt.datetime | None = None
    name: str = ""

    def passed_by(self, event: Event) -> bool:
        """Return whether recovery has reached the target when it comes by an event."""
        if self.at is not None:
            return event.at is not None and event.at > self.at
        return bool(self.name) and event.name == self.name

    def settings(self) -> dict[str, str]:
        """Return what PostgreSQL's recovery is told."""
        if self.at is not None:
            at = self.at.astimezone(dt.UTC).isoformat(sep=" ", timespec="microseconds")
            return {"recovery_target_time": at, "recovery_target_inclusive": "on"}
        return {"recovery_target_name": self.name} if self.name else {}

    def __str__(self) -> str:
        if self.at is not None:
            return self.at.isoformat()
        return f"the restore point {self.name}" if self.name else "the latest"


def target_of(time: str | None, name: str | None) -> Target:
    """
    Return the target that an operator means; the latest when neither is given.

    Raises:
        CommandError: the time is none, or has no offset.
    """
    if time is None and name == "":
        raise CommandError("--to-name needs the name of a restore point", returncode=2)
    if time is None:
        return Target(name=name or "")
    try:
        at = parse_datetime(time)
    except ValueError:
        at = None
    if at is None or timezone.is_naive(at):
        raise CommandError(
            f"--to-time={shown(time)}: write a time with its offset, 2026-01-05T14:00:00+00:00", returncode=2
        )
    return Target(at=at)


def events_of(programs: Binaries, folder: Path, *, timeline: int, start: int, end: int) -> Iterator[Event]:
    """
    Read the WAL in a folder from one address to another, and return where recovery could stop.

    Every record on the way is checked by PostgreSQL's own reader.

    Raises:
        BackupError: a record is damaged, or does not follow from the one before.
    """
    command = [
        programs.program("pg_waldump"), f"--path={folder}", f"--timeline={timeline}", f"--start={lsn_text(start)}",
        f"--end={lsn_text(end)}", "--rmgr=Transaction", "--rmgr=XLOG",
    ]  # fmt: skip
    with tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(  # noqa: S603 - a program of PostgreSQL, no shell
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, text=True, errors="replace",
            env=bare_environment(),
        ) as program:  # fmt: skip
            assert program.stdout is not None
            yield from _parsed(program.stdout)
        if program.returncode:
            raise BackupError(
                f"the WAL from {lsn_text(start)} to {lsn_text(end)} cannot be read: {last_words(complaints)}"
            )


def _parsed(lines: Iterator[str] | Sequence[str]) -> Iterator[Event]:
    for line in lines:
        if match := _COMMIT.search(line):
            at = dt.datetime.fromisoformat(match[2]).replace(tzinfo=dt.UTC)
            yield Event(lsn_of(match[1]), at=at)
        elif match := _RESTORE_POINT.search(line):
            yield Event(lsn_of(match[1]), name=match[2].rstrip("\n"))
