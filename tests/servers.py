"""Servers and folders that a test may stop, kill and restart, and commands in processes of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from friren import embedded
from friren.embedded import process
from friren.locking import exclusive
from tests.postgres import PREFIX, ROOT, binaries, end_server, new_folder, scratch
from tests.stock import lay, put_in_stock

# The environment of this test run is not that of the commands it tries.
_OWN_VARIABLES = ("DATABASE_URL", "DB_", "DJANGO_", "FRIREN_", "PYTEST_", "SECRET_KEY")


def make_folder(name: str = "") -> Path:
    """A new folder that other users can pass, as root's pytest folders cannot be."""
    folder = new_folder() / (name or "home")
    folder.mkdir()
    return folder


def remove_folder(folder: Path) -> None:
    location = embedded.locate(folder, binaries=binaries())
    end_server(location)
    shutil.rmtree(location.root, ignore_errors=True)
    shutil.rmtree(location.socket_directory, ignore_errors=True)
    outer = next(parent for parent in folder.parents if parent.name.startswith(PREFIX))
    shutil.rmtree(outer, ignore_errors=True)


def command_environment(home: Path, **changes: str) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)}
    programs = {"FRIREN_EMBEDDED_BIN": str(folder)} if (folder := binaries()) else {}
    return environment | {"FRIREN_HOME": str(home), "FRIREN_ENV_FILE": os.devnull} | programs | changes


def manage(*arguments: str, home: Path, check: bool = False, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` as a user would."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=command_environment(home, **changes),
        capture_output=True,
        text=True,
        check=check,
        timeout=300,
    )


def python(code: str, *, home: Path, **changes: str) -> subprocess.Popen[str]:
    """Begin a Python process that imports Friren."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=command_environment(home, **changes),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@dataclass
class ThrowAwayServer:
    """A server of one test's own. It may be killed: its commits outlive it, though not the machine."""

    home: Path = field(default_factory=make_folder)
    migrated: bool = False
    settings: dict[str, str] = field(default_factory=lambda: {"fsync": "off"})

    @property
    def location(self) -> embedded.Location:
        return embedded.locate(self.home, binaries=binaries())

    def start(self, **server_settings: str) -> embedded.Running:
        """Start it with these settings beside those of the last time."""
        self.settings |= server_settings
        if not self.location.data.exists():
            self._make_data()
        return embedded.start(self.location, server_settings=self.settings)

    def _make_data(self) -> None:
        name = "migrated" if self.migrated else "empty"
        if lay(self.location, name):
            return
        with exclusive(scratch() / f"stock-{name}.lock", timeout=300):
            if lay(self.location, name):  # another worker was first
                return
            embedded.start(self.location, server_settings={"fsync": "off"})
            if self.migrated:
                made = self.manage("migrate", "--verbosity=0")
                assert made.returncode == 0, made.stderr
            self.stop()
            put_in_stock(self.location.data, name)

    def stop(self) -> None:
        embedded.stop(self.location)

    def kill(self) -> None:
        """Kill -9 the first process; the others notice and end."""
        found = process.find(self.location.data)
        assert found is not None
        os.kill(found.pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while process.find(self.location.data) is not None:
            assert time.monotonic() < deadline, "the killed server lives on"
            time.sleep(0.01)

    def url(self, name: str = "friren", *, user: str = "friren", password: str = "") -> str:
        secret = f":{password}" if password else ""
        return f"postgresql://{user}{secret}@/{name}?host={self.location.socket_directory}"

    def connect(self, name: str = "friren") -> psycopg.Connection:
        return psycopg.connect(self.url(name), autocommit=True)

    def environment(self, **changes: str) -> dict[str, str]:
        """What makes a command of ours use this server, as a server and not as the embedded database."""
        return {"DATABASE_URL": self.url(), "SECRET_KEY": "only for tests"} | changes

    def manage(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return manage(*arguments, home=self.home, **self.environment(**changes))


def throw_away_server(*, migrated: bool = False) -> Iterator[ThrowAwayServer]:
    server = ThrowAwayServer(migrated=migrated)
    try:
        server.start()
        yield server
    finally:
        remove_folder(server.home)
