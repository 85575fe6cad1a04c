"""`manage.py embedded`: the embedded PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from friren.embedded import Location, locate, status, stop
from friren.embedded.archiving import start_own
from friren.embedded.binaries import find_binaries
from friren.embedded.cluster import DATABASE, OWNER
from friren.operations.command import BaseFrirenCommand, Report

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Start, stop or look at the embedded PostgreSQL below FRIREN_HOME, or open psql on it."
    needs_database = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=("start", "stop", "status", "psql"))
        parser.add_argument("arguments", nargs="*", help="For psql, after `--`.")

    def run(self, *, action: str, arguments: list[str], **_: Any) -> Report | None:
        if arguments and action != "psql":
            raise CommandError(f"{action} takes no arguments", returncode=2)
        location = locate(settings.FRIREN_HOME, binaries=settings.FRIREN_EMBEDDED_BIN)
        if action == "start":
            start_own(location)
        elif action == "stop":
            stop(location)
        elif action == "psql":
            self._psql(location, arguments)
            return None
        found = status(location)
        return {
            "running": found.running,
            "version": found.version,
            "path": found.path,
            "pid": found.pid,
            "socket": found.socket,
        }

    def _psql(self, location: Location, arguments: list[str]) -> None:
        server = start_own(location)
        program = find_binaries(location.binaries, identity=None).program("psql")
        command = [program, "-h", server.host, "-p", str(server.port), "-U", OWNER, "-d", DATABASE, *arguments]
        self.stdout.flush()
        if sys.platform == "win32":
            sys.exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - no shell
        os.execv(program, command)  # noqa: S606 - psql takes over the terminal
