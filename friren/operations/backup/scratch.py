"""A PostgreSQL of its own to restore into, thrown away afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from django.conf import settings
from psycopg.conninfo import make_conninfo

from friren import embedded
from friren.embedded.binaries import Binaries, find_binaries
from friren.embedded.cluster import DATABASE, OWNER
from friren.errors import BackupError, ConfigurationError
from friren.locking import exclusive
from friren.operations.backup.programs import TEXT_OPTIONS, Server, find_programs
from friren.operations.backup.settings import LOCK_SECONDS

__all__ = ["Scratch", "scratch_folder", "scratch_server"]

# Safe only because the data are thrown away.
_FAST: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "10"}


class Scratch:
    """A running server with an empty database, whose superuser we are."""

    def __init__(self, running: embedded.Running, binaries: Binaries) -> None:
        self.binaries = binaries
        self.server = Server(
            conninfo=make_conninfo(host=running.host, port=str(running.port), user=OWNER, dbname=DATABASE),
            password="",
            database=DATABASE,
            version=binaries.version,
            encrypted=False,
        )

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection that reads what a backup reads, the way it does."""
        session = psycopg.connect(self.server.conninfo, options=TEXT_OPTIONS, autocommit=True)
        session.execute("SET search_path = pg_catalog")
        return session


@contextmanager
def scratch_server(major: int) -> Iterator[Scratch]:
    """
    Run a server that takes a dump of PostgreSQL `major`: of that version, or the newer embedded one.

    Its data lie below FRIREN_HOME and need as much room as the database. One runs at a time; what a killed process has
    left behind is stopped and removed first.

    Raises:
        BackupError: another process runs one.
        ConfigurationError: there is no PostgreSQL that takes the dump.
    """
    with scratch_folder() as home:
        location = embedded.locate(home, binaries=_programs(major))
        _clear(location)
        binaries = find_binaries(location.binaries, identity=None)
        try:
            yield Scratch(embedded.start(location, server_settings=_FAST), binaries)
        finally:
            _clear(location)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """
    Hold the folder below FRIREN_HOME in which backups are tried.

    Raises:
        BackupError: another process holds it.
    """
    home = Path(settings.FRIREN_HOME) / "scratch"
    home.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(home / "lock", timeout=LOCK_SECONDS):
            yield home
    except ConfigurationError as exc:
        if str(home / "lock") in str(exc):
            raise BackupError("another backup is being restored into the scratch server: try again later") from exc
        raise


def _programs(major: int) -> Path:
    try:
        return find_programs(major, program="initdb").directory
    except ConfigurationError:
        found = find_binaries(getattr(settings, "FRIREN_EMBEDDED_BIN", None), identity=None)
        if found.major < major:
            raise ConfigurationError(
                f"there is no PostgreSQL {major} here to restore into: install postgresql-{major}, "
                "or name the folder of its programs in BACKUP_POSTGRES_BIN"
            ) from None
        return found.directory


def _clear(location: embedded.Location) -> None:
    embedded.stop(location)
    shutil.rmtree(location.socket_directory, ignore_errors=True)
    shutil.rmtree(location.root, ignore_errors=True)
