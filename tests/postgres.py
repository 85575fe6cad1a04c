"""
The PostgreSQL that the tests run on: thrown away afterwards, started by our own launcher, at most once per worker.

Loaded before Django reads its settings (`-p tests.postgres`). FRIREN_TEST_POSTGRES_BIN names the programs of
another PostgreSQL. With pytest-xdist each worker has a server of its own: an open transaction is seen by all of a
server's databases, and how far the books are booked hangs on it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import psycopg

from friren import embedded
from friren.embedded import process
from friren.errors import ConfigurationError

ROOT = Path(__file__).resolve().parent.parent
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
TEMPLATE = "friren_template"
# Safe only because the data are thrown away.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
PREFIX = "friren-tests-"
SCRATCH_VARIABLE = "FRIREN_TEST_SCRATCH"  # tells xdist's workers where the server of this run is


def scratch() -> Path:
    """The folder of this run, shared by its workers and removed at its end."""
    if inherited := os.environ.get(SCRATCH_VARIABLE):
        return Path(inherited)
    _sweep()
    folder = new_folder()
    os.environ[SCRATCH_VARIABLE] = str(folder)
    atexit.register(_clean_up, folder, os.getpid())
    return folder


def new_folder() -> Path:
    """
    A new folder that other users can pass.

    Not below pytest's own temporary directory: as root that is closed to the server's user.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    folder.chmod(0o755)
    (folder / "owner").write_text(str(os.getpid()))
    return folder


def _sweep() -> None:
    """Stop and remove what runs that were killed have left behind."""
    for owner in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/owner"):
        with contextlib.suppress(OSError, ValueError, ConfigurationError):
            if owner.stat().st_uid == os.geteuid() and not process.is_alive(int(owner.read_text())):
                _remove(owner.parent)


def _remove(folder: Path) -> None:
    for home in (child for child in folder.iterdir() if child.is_dir()):
        end_server(embedded.locate(home, binaries=binaries()))
    shutil.rmtree(folder)


def _clean_up(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # not in a forked child
        with contextlib.suppress(OSError):
            _remove(folder)


def end_server(location: embedded.Location) -> None:
    """End a server whose data nobody wants any more: at once, without its last checkpoint."""
    found = process.find(location.data)
    if found is None:
        return
    os.kill(found.pid, signal.SIGQUIT)
    deadline = time.monotonic() + 60
    while process.is_alive(found.pid):
        assert time.monotonic() < deadline, "the server does not end"
        time.sleep(0.01)


def binaries() -> Path | None:
    """The programs to test on: those of the wheel unless another PostgreSQL is asked for."""
    configured = os.environ.get("FRIREN_TEST_POSTGRES_BIN")
    return Path(configured) if configured else None


def location() -> embedded.Location:
    """The server of this worker."""
    return embedded.locate(scratch() / f"server-{WORKER}", binaries=binaries())


def database_url(name: str, host: str | None = None) -> str:
    return f"postgresql://friren@/{name}?host={host or location().socket_directory}"


# How large an experiment is to be, which PostgreSQL it is to run on, where real data lie.
KEPT_VARIABLES = ("FRIREN_TEST_", "FRIREN_SHARED_DATA")


def admin_connection(name: str = "postgres") -> psycopg.Connection:
    return psycopg.connect(database_url(name), autocommit=True)


def _configure_environment() -> None:
    """Hide the developer's own settings: what passes here passes anywhere."""
    for name in list(os.environ):
        if name.startswith(("DB_", "PG", "POSTGRES_", "DJANGO_")) or (
            name.startswith("FRIREN_") and not name.startswith(KEPT_VARIABLES)
        ):
            del os.environ[name]
    # The processes that tests begin would each compile all that they import.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ |= {
        "DATABASE_URL": database_url(f"test_{WORKER}"),
        "DB_POOL_ENABLED": "false",  # tests of the pool make their own
        "DJANGO_SETTINGS_MODULE": "friren.settings",
        "FRIREN_ENV_FILE": os.devnull,
        "FRIREN_HOME": str(scratch() / f"home-{WORKER}"),
        # On a machine that is busy with tests a commit may take longer than a trader would wait, and a test longer
        # from one statement to the next.
        "FRIREN_WRITE_DEADLINE": "30",
        "DB_CONNECT_TIMEOUT": "60",
        "DB_STATEMENT_TIMEOUT": "120",
        "DB_IDLE_IN_TRANSACTION_TIMEOUT": "300",
        "SECRET_KEY": "only for tests",
    }


_configure_environment()


def make_template() -> None:
    """Make the migrated template that databases are copied from: the caller's own connection is lent for it."""
    from django.db import connections

    from friren.operations import schema

    connection = connections["default"]
    own = connection.settings_dict["NAME"]
    with admin_connection() as admin:
        admin.execute(f"CREATE DATABASE {TEMPLATE}")
    connection.settings_dict["NAME"] = TEMPLATE
    try:
        schema.migrate()
    finally:
        connection.close()
        connection.settings_dict["NAME"] = own
    remember_seeds(TEMPLATE)


def copy_template(name: str) -> None:
    """Make a migrated database in about 0.1 s."""
    with admin_connection() as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE}')


def drop_database(name: str) -> None:
    with admin_connection() as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


# Partitions are emptied through their parent, so only what is no partition counts.
_TABLES = """
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'friren_seed') AND n.nspname NOT LIKE 'pg\\_%'
"""


def remember_seeds(name: str) -> None:
    """Keep a copy of the rows that the migrations wrote: they are part of an empty database."""
    with admin_connection(name) as admin:
        admin.execute("CREATE SCHEMA friren_seed")
        for table, relation in admin.execute(_TABLES).fetchall():
            if admin.execute(f"SELECT EXISTS (SELECT FROM {table})").fetchone()[0]:
                admin.execute(f"CREATE TABLE friren_seed.{relation} AS TABLE {table}")


class Emptier:
    """Puts a database back to what the migrations made of it; a few milliseconds when little was written."""

    def __init__(self, name: str) -> None:
        self._connection = admin_connection(name)
        # A lock that is still held is a transaction that a test left open.
        self._connection.execute("SET lock_timeout = '60s'")
        self._connection.execute("SET session_replication_role = replica")  # no triggers, no foreign keys

    def close(self) -> None:
        self._connection.close()

    def empty(self) -> None:
        execute = self._connection.execute
        seeds = {row[0] for row in execute("SELECT tablename FROM pg_tables WHERE schemaname = 'friren_seed'")}
        tables = execute(_TABLES).fetchall()
        probes = [
            f"SELECT {number} WHERE EXISTS "
            + (
                f"(TABLE {table} EXCEPT TABLE friren_seed.{relation}) OR EXISTS "
                f"(TABLE friren_seed.{relation} EXCEPT TABLE {table})"
                if relation in seeds
                else f"(SELECT FROM {table})"
            )
            for number, (table, relation) in enumerate(tables)
        ]
        statements = []
        for (number,) in execute(" UNION ALL ".join(probes)).fetchall():
            table, relation = tables[number]
            statements.append(f"DELETE FROM {table}")
            if relation in seeds:
                statements.append(f"INSERT INTO {table} SELECT * FROM friren_seed.{relation}")
        if statements:
            with self._connection.transaction():
                execute("; ".join(statements))
