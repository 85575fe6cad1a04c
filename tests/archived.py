"""Servers that archive their WAL, and a writer that knows what it wrote at which moment."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psycopg
from django.conf import settings as django_settings
from django.db import connections

from friren.embedded.archiving import archive_settings
from friren.operations.backup import recovering
from friren.operations.backup.wal import is_segment
from tests import servers

__all__ = ["TABLE", "Archiving", "Moment", "Writer", "archiving_server", "connected"]

TABLE = "public.ledger_of_the_test"


@dataclasses.dataclass
class Archiving:
    """
    A migrated server that archives.

    Attributes:
        folder: whose `backups` and `wal` are its backups and its WAL, and where others can restore to.
    """

    server: servers.ThrowAwayServer
    folder: Path
    keys: tuple[str, ...] = ()

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    @property
    def wal(self) -> Path:
        return self.folder / "wal"

    def archived(self) -> None:
        """End the segment that is being written, and wait until it is archived."""
        with self.server.connect() as session:
            (name,) = session.execute("SELECT pg_walfile_name(pg_current_wal_lsn())").fetchone()
            session.execute("SELECT pg_create_restore_point('friren: archived'), pg_switch_wal()")
        deadline = time.monotonic() + 60
        while not any(self.wal.rglob(f"{name}-*")):
            assert time.monotonic() < deadline, "the segment is not archived"
            time.sleep(0.02)

    def segments(self) -> list[Path]:
        """The archived segments, in order."""
        found = [path for path in self.wal.rglob("0*.gz*") if is_segment(path.name.partition("-")[0])]
        return sorted(found, key=lambda path: path.name)


@contextmanager
def archiving_server(*, keys: tuple[str, ...] = (), **server_settings: str) -> Iterator[Archiving]:
    server = servers.ThrowAwayServer(migrated=True)
    folder = servers.make_folder("archive")
    try:
        made = Archiving(server, folder, keys)
        server.start(**archive_settings(server.location, directory=made.wal, keys=keys) | server_settings)
        yield made
    finally:
        servers.remove_folder(server.home)
        servers.remove_folder(folder)


@contextmanager
def connected(archiving: Archiving, *, durable: bool = False) -> Iterator[None]:
    """
    Let Django and the backups work on this server in place of the ordinary database.

    Args:
        durable: whether what is restored has to outlive the machine, which costs a sync of every file.
    """
    own = {alias: dict(connections[alias].settings_dict) for alias in connections}
    variables = {"BACKUP_DIR": str(archiving.backups), "BACKUP_ENCRYPTION_KEY": ",".join(archiving.keys)}
    before = {name: os.environ.get(name) for name in variables}
    directory = django_settings.BACKUP_WAL_DIR
    quiet = recovering._QUIET
    connections.close_all()
    try:
        recovering._QUIET = quiet | ({} if durable else {"fsync": "off"})
        for alias in connections:
            here = {"HOST": str(archiving.server.location.socket_directory), "NAME": "friren"}
            connections[alias].settings_dict.update(here)
        os.environ |= variables
        django_settings.BACKUP_WAL_DIR = archiving.wal
        yield
    finally:
        connections.close_all()
        for alias, values in own.items():
            connections[alias].settings_dict.update(values)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        django_settings.BACKUP_WAL_DIR = directory
        recovering._QUIET = quiet


@dataclasses.dataclass(frozen=True)
class Moment:
    """A restore point, and what the table held then by the writer's own account."""

    name: str
    at: dt.datetime
    rows: int
    digest: str


class Writer:
    """Writes on, one transaction after another, and keeps its own account of what is stored."""

    def __init__(self, url: str, seed: int) -> None:
        self._url, self._chance = url, random.Random(seed)
        self._account: dict[int, tuple[int, int]] = {}
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.moments: list[Moment] = []
        self.failure: BaseException | None = None
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} (id int PRIMARY KEY, value bigint, pad text)")
            for key, value, pad in session.execute(f"SELECT id, value, length(pad) FROM {TABLE}"):
                self._account[key] = (value, pad)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        assert self.failure is None, self.failure

    def mark(self, name: str) -> Moment:
        """Make a restore point between two transactions, and remember what is stored by then."""
        with self._lock, psycopg.connect(self._url, autocommit=True) as session:
            session.execute("SELECT pg_create_restore_point(%s)", [name])
            (at,) = session.execute("SELECT clock_timestamp()").fetchone()
            found = Moment(name, at, len(self._account), self._digest())
        self.moments.append(found)
        return found

    def _digest(self) -> str:
        total = 0
        for key, (value, pad) in self._account.items():
            text = f"({key},{value},{'x' * pad or chr(34) * 2})"
            total += int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)
        return str(total)

    def _write(self) -> None:
        try:
            with psycopg.connect(self._url, autocommit=True) as session:
                while not self._over.is_set():
                    with self._lock:
                        self._one(session)
                    time.sleep(0.001)  # who marks a moment gets the lock
        except BaseException as exc:
            self.failure = exc
            raise

    def _one(self, session: psycopg.Connection) -> None:
        """Add a row, change another, and now and then remove one."""
        chance, key = self._chance, max(self._account, default=0) + 1
        value, pad = chance.randrange(1, 1000), chance.randrange(500)
        other, gone = (chance.choice(list(self._account) or [0]) for _ in range(2))
        remove = chance.random() < 0.1
        with session.transaction():
            session.execute(f"INSERT INTO {TABLE} VALUES (%s, %s, repeat('x', %s))", [key, value, pad])
            session.execute(f"UPDATE {TABLE} SET value = %s WHERE id = %s", [-value, other])
            if remove:
                session.execute(f"DELETE FROM {TABLE} WHERE id = %s", [gone])
        if other in self._account:
            self._account[other] = (-value, self._account[other][1])
        self._account[key] = (value, pad)
        if remove:
            self._account.pop(gone, None)
