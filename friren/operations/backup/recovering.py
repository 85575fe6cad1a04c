"""Let PostgreSQL replay the WAL that was laid out, up to a target, and look at what came of it."""

from __future__ import annotations

import datetime as dt
import os
import re
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from friren.embedded import Location, cluster, process
from friren.embedded.binaries import Binaries, run
from friren.embedded.location import Identity
from friren.errors import BackupError
from friren.operations.backup.contents import Contents, read_contents
from friren.operations.backup.positions import lsn_of
from friren.operations.backup.programs import TEXT_OPTIONS
from friren.operations.connectivity import one_line

__all__ = ["Recovered", "give_to", "recover"]

_STOP_SECONDS: Final = 600
_POLL_SECONDS: Final = 0.02
_PREPARED: Final = re.compile(r"max_prepared_xacts setting:\s+(\d+)")
# Nothing of what the server was told when it was backed up: it must not archive, preload what is not here, wait for
# standbys, or take connections from elsewhere. It takes none at all until it has reached the target.
_QUIET: Final[Mapping[str, str]] = {
    "listen_addresses": "", "archive_mode": "off", "archive_command": "", "archive_cleanup_command": "",
    "recovery_end_command": "", "shared_preload_libraries": "", "session_preload_libraries": "",
    "local_preload_libraries": "", "synchronous_standby_names": "", "primary_conninfo": "", "hot_standby": "off",
    "recovery_target": "", "recovery_target_lsn": "", "recovery_target_xid": "", "recovery_target_name": "",
    "recovery_target_time": "", "recovery_target_action": "promote",
    "logging_collector": "off", "log_destination": "stderr", "ssl": "off", "fsync": "on", "max_connections": "10",
    # Once for the whole disk, where it can be done, and not once for each of a thousand files.
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
    "log_timezone": "UTC", "log_line_prefix": "%m [%p] ", "lc_messages": "C",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recovered:
    """
    What a server holds that has reached its target and was promoted.

    Attributes:
        timeline: the new one that it writes.
        lsn: up to where WAL was replayed.
        at: when the last transaction that was replayed ended; None when there was none.
    """

    contents: Contents
    timeline: int
    lsn: int
    at: dt.datetime | None


def recover(
    location: Location, binaries: Binaries, identity: Identity | None, *, target: Mapping[str, str], timeline: int,
    wal: Path, superuser: str, database: str,
) -> Recovered:  # fmt: skip
    """
    Recover the data of `location`, promote, read all of it, and stop the server in good order.

    Args:
        target: as `Target.settings` gives it, or PostgreSQL's own recovery_target.
        timeline: along which WAL is replayed.
        wal: the folder where it lies.
        superuser, database: to read by.

    Raises:
        BackupError: the server did not get there; the message has its last words.
    """
    data = location.data
    (data / "recovery.signal").touch()
    for leftover in ("postmaster.pid", "standby.signal"):
        (data / leftover).unlink(missing_ok=True)
    overrides = {
        # The target comes last: to PostgreSQL even an empty one of another kind is a second one.
        **{name: value for name, value in _QUIET.items() if name not in target}, **target,
        "config_file": _written(location.root / "recovery.conf", ""),
        "hba_file": _written(location.root / "recovery.hba.conf", "local all all trust\n"),
        "ident_file": _written(location.root / "recovery.ident.conf", ""),
        "port": str(location.port),
        "unix_socket_directories": f'"{location.socket_directory}"',
        "restore_command": _restore_command(wal),
        "recovery_target_timeline": str(timeline),
        "max_prepared_transactions": _prepared(binaries, data),
    }  # fmt: skip
    cluster.prepare_folders(location, identity)
    give_to(identity, location.root)
    with _running(location, binaries, identity, overrides):
        try:
            with psycopg.connect(
                host=str(location.socket_directory), port=location.port, user=superuser, dbname=database,
                options=TEXT_OPTIONS, autocommit=True,
            ) as session:  # fmt: skip
                return _look(session)
        except psycopg.Error as exc:
            raise BackupError(f"the restored server cannot be read: {one_line(exc)}") from exc


def give_to(identity: Identity | None, folder: Path) -> None:
    """Give a folder and all in it to the server's user, where that is not ours."""
    if identity is None or sys.platform == "win32":
        return
    for place, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            os.chown(os.path.join(place, name), identity.uid, identity.gid, follow_symlinks=False)  # noqa: PTH118


def _look(session: psycopg.Connection[Any]) -> Recovered:
    session.execute("SET search_path = pg_catalog")
    row = session.execute(
        "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp(), "
        "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"
    ).fetchone()
    assert row is not None
    recovering, lsn, at, timeline = row
    if recovering:
        raise BackupError("the restored server is still in recovery")
    with session.transaction():
        contents = read_contents(session)
    return Recovered(contents, timeline, lsn_of(lsn), at)


@contextmanager
def _running(
    location: Location, binaries: Binaries, identity: Identity | None, overrides: Mapping[str, str]
) -> Iterator[None]:
    pid = process.launch(binaries, location, identity, overrides=overrides)
    try:
        # However long it takes to replay: it is given up when the server does.
        while not ((found := process.find(location.data)) and found.ready):
            if not process.is_alive(pid):
                raise BackupError(f"the target cannot be reached: {_last_words(location.log)}")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        if process.is_alive(pid):
            command = [binaries.program("pg_ctl"), "stop", "-D", str(location.data), "-m", "fast"]
            run([*command, "-t", str(_STOP_SECONDS)], identity=identity, timeout=_STOP_SECONDS + 10)


def _restore_command(wal: Path) -> str:
    if os.name == "nt":
        return f'copy "{wal}\\%f" "%p"'
    return f'cp -- {shlex.quote(str(wal)).replace("%", "%%")}/%f "%p"'


def _prepared(binaries: Binaries, data: Path) -> str:
    """Return how many prepared transactions the server had room for: recovery needs as much."""
    done = run([binaries.program("pg_controldata"), "-D", str(data)], identity=None)
    match = _PREPARED.search(done.stdout)
    if match is None:
        raise BackupError(f"{data} has no control file that can be read: {' '.join(done.stderr.split())}")
    return match[1]


def _written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line] or lines
    return " ".join(telling[0].split()) if telling else "it said nothing"
