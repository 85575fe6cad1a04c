"""The database that an experiment logs into, and the folder its journals lie in."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests import postgres, servers

__all__ = ["Ground", "from_template", "own_server"]


@dataclasses.dataclass
class Ground:
    """
    A migrated, empty database.

    Attributes:
        url: of the database.
        home: FRIREN_HOME of those who log.
        server: when it is the experiment's own, which may be stopped and killed.
    """

    url: str
    home: Path
    server: servers.ThrowAwayServer | None = None

    @property
    def socket(self) -> Path:
        """The server's socket, for a proxy to lead to."""
        where = conninfo_to_dict(self.url)
        return Path(where["host"]) / f".s.PGSQL.{where.get('port') or 5432}"

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)

    def environment(self, **changes: str) -> dict[str, str]:
        return {"DATABASE_URL": self.url, "SECRET_KEY": "only for tests", "DB_POOL_ENABLED": "false"} | changes


@contextmanager
def own_server(**server_settings: str) -> Iterator[Ground]:
    """A server of the experiment's own, migrated."""
    server = servers.ThrowAwayServer(migrated=True)
    try:
        server.start(**server_settings)
        yield Ground(server.url(), server.home, server)
    finally:
        servers.remove_folder(server.home)


@contextmanager
def from_template(name: str) -> Iterator[Ground]:
    """A database on the server of this test run, copied from its template in a tenth of a second."""
    home = postgres.new_folder() / "home"
    home.mkdir()
    postgres.copy_template(name)
    try:
        yield Ground(postgres.database_url(name), home)
    finally:
        postgres.drop_database(name)
        shutil.rmtree(home.parent, ignore_errors=True)
