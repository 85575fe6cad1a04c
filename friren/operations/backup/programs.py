"""The server to back up, and the programs of its own version: a secret is never an argument of theirs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.conninfo import make_conninfo

from friren.embedded.binaries import Binaries, wheel_directories
from friren.errors import BackupError, ConfigurationError
from friren.operations.backup.settings import LOCK_WAIT
from friren.operations.backup.settings import programs as configured_programs
from friren.operations.connectivity import connect_directly, one_line

__all__ = [
    "TEXT_OPTIONS",
    "Server",
    "bare_environment",
    "connect",
    "environment",
    "find_programs",
    "last_words",
    "runs",
    "server_of",
]

# Values come out as the same text whatever the settings of a server.
TEXT_OPTIONS: Final = (
    "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c bytea_output=hex "
    "-c extra_float_digits=1 -c lc_monetary=C"
)
# Work that an operator began takes what it takes.
_SESSION: Final = (
    f"-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout={LOCK_WAIT} {TEXT_OPTIONS}"
)
_ENCRYPTED: Final = frozenset({"require", "verify-ca", "verify-full"})
# What comes with the client's package; the rest comes with the server's.
_CLIENTS: Final = frozenset({"pg_dump", "pg_restore", "pg_basebackup", "psql"})
# Where the packages of PostgreSQL put their programs: Debian, Red Hat, Homebrew, the installers of EDB.
_FOLDERS: Final = (
    "/usr/lib/postgresql/{major}/bin",
    "/usr/pgsql-{major}/bin",
    "/opt/homebrew/opt/postgresql@{major}/bin",
    "/usr/local/opt/postgresql@{major}/bin",
    "/Library/PostgreSQL/{major}/bin",
    "C:/Program Files/PostgreSQL/{major}/bin",
)


@dataclass(frozen=True, slots=True)
class Server:
    """
    One database as a program of PostgreSQL reaches it.

    Attributes:
        conninfo: parameters of the connection, without any secret.
        password: "" where none is used.
        version: such as "18.4".
        encrypted: whether the connection has to be encrypted.
    """

    conninfo: str
    password: str
    database: str
    version: str
    encrypted: bool

    @property
    def major(self) -> int:
        """The major version."""
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index]  # a version begins with a number


def connect(database: str = DEFAULT_DB_ALIAS, **changes: Any) -> psycopg.Connection[Any]:
    """
    Return a connection for a backup or a restore: without time limits, in autocommit.

    Raises:
        BackupError: the database cannot be reached.
    """
    try:
        session = connect_directly(database, **{"options": _SESSION, **changes})
    except psycopg.Error as exc:
        raise BackupError(f"the database cannot be reached: {one_line(exc)}") from exc
    # A name written down is found whatever the search path of the role.
    session.execute("SET search_path = pg_catalog")
    return session


def server_of(session: psycopg.Connection[Any], database: str = DEFAULT_DB_ALIAS) -> Server:
    """
    Return what `session`, a connection by the parameters of `database`, is connected to.

    Raises:
        ConfigurationError: the connection needs a passphrase that cannot be handed on.
    """
    asked = _asked_for(database)
    parameters = {name: value for name, value in session.info.get_parameters().items() if name in asked}
    if parameters.pop("sslpassword", None):
        raise ConfigurationError("sslpassword cannot be handed to pg_dump unseen: use a key file without a passphrase")
    return Server(
        conninfo=make_conninfo(**parameters),
        password=session.info.password,
        database=session.info.dbname,
        version=session.info.parameter_status("server_version") or "",
        encrypted=parameters.get("sslmode") in _ENCRYPTED,
    )


def _asked_for(database: str) -> set[str]:
    """Return the parameters that were set: the others are this libpq's own, which an older program does not know."""
    variables = {option.keyword.decode(): option.envvar for option in psycopg.pq.Conninfo.get_defaults()}
    set_outside = {name for name, variable in variables.items() if variable and variable.decode() in os.environ}
    return {"dbname", "options", *connections[database].get_connection_params(), *set_outside}


def environment(server: Server) -> dict[str, str]:
    """Return the environment of a program: nothing of the caller's that would redirect it, and the password."""
    return bare_environment() | ({"PGPASSWORD": server.password} if server.password else {})


def bare_environment() -> dict[str, str]:
    """Return the environment of a program that needs no server: what it says is English, its times are UTC."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return own | {"LC_ALL": "C", "TZ": "UTC"}


def find_programs(major: int, *, encrypted: bool = False, program: str = "pg_dump") -> Binaries:
    """
    Return the programs of one major version.

    Args:
        encrypted: whether they must talk TLS, which those of the embedded PostgreSQL cannot.
        program: that has to be among them.

    Raises:
        ConfigurationError: there are none on this machine; the message names the package.
    """
    for folder in _candidates(major, encrypted=encrypted):
        version = _version(folder / program)
        if version and int(version.partition(".")[0]) == major:
            return Binaries(folder, version)
    package = f"postgresql-client-{major}" if program in _CLIENTS else f"postgresql-{major}"
    raise ConfigurationError(
        f"{program} of PostgreSQL {major} is not on this machine: install {package} "
        "(from apt.postgresql.org where Debian has another version), or name its folder in BACKUP_POSTGRES_BIN"
    )


def runs(program: Path) -> bool:
    """Return whether a program of PostgreSQL is there and runs."""
    return _version(program) is not None


def last_words(complaints: IO[bytes]) -> str:
    """Return what a program that failed said of it in a file, as one line without secrets."""
    complaints.seek(0)
    text = complaints.read().decode("utf-8", "replace")
    lines = [line for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line or "FATAL" in line or "fatal" in line] or lines
    return one_line(Exception(telling[0])) if telling else "it said nothing"


def _candidates(major: int, *, encrypted: bool) -> Iterator[Path]:
    for configured in (configured_programs(), getattr(settings, "FRIREN_EMBEDDED_BIN", None)):
        if configured is not None:
            yield configured
    if not encrypted:
        yield from wheel_directories()
    yield from (Path(pattern.format(major=major)) for pattern in _FOLDERS)
    if found := shutil.which("pg_dump"):
        yield Path(found).resolve().parent


def _version(program: Path) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, no shell
            [str(program), "--version"], capture_output=True, text=True, check=False, timeout=30
        )
    except OSError:
        return None
    match = re.search(r"\(PostgreSQL\) (\d+\S*)", done.stdout)
    return match[1] if match else None
