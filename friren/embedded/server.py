"""Start, find and stop one embedded server; safe in any number of processes at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from friren.embedded import cluster, process, swapping
from friren.embedded.binaries import find_binaries, run
from friren.embedded.location import Identity, Location, server_identity
from friren.errors import ConfigurationError
from friren.locking import exclusive

__all__ = ["Running", "Status", "adopt", "ensure_started", "replace_data", "settle", "start", "status", "stop"]

START_SECONDS_MAX: Final = 60.0
# After kill -9 the dead server's children keep its shared memory for a second or two.
RECOVERY_SECONDS_MAX: Final = 15.0
STOP_SECONDS_MAX: Final = 60.0
_POLL_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Running:
    """A server that takes connections at `host` (its socket directory) and `port`."""

    pid: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Status:
    """What `manage.py embedded status` tells. `version` is None before the first start."""

    running: bool
    version: str | None
    path: str
    pid: int | None
    socket: str


def adopt(location: Location) -> Running | None:
    """
    Return the server that runs on this data directory, whoever started it; None when there is none.

    Raises:
        ConfigurationError: it belongs to another user, or its socket directory is open to others.
    """
    postmaster = process.find(location.data)
    if postmaster is None or not postmaster.ready or not location.socket.exists():
        return None
    cluster.check_private(location.socket_directory, owner=location.data.stat().st_uid)
    return Running(postmaster.pid, str(location.socket_directory), location.port)


def start(
    location: Location, *, server_settings: Mapping[str, str] | None = None, timeout: float = START_SECONDS_MAX
) -> Running:
    """
    Return the running server, started (and its data directory made) when it was not.

    Args:
        server_settings: settings of postgresql.conf for this start, by name.
        timeout: seconds to wait for another process that is starting it, and for the server itself.

    Raises:
        ConfigurationError: no programs, a data directory of another major version or another user, a full
            disk, no way to be ready in time. One line that says what to do.
    """
    try:
        if running := adopt(location):
            return running
        identity = server_identity(location)
        cluster.prepare_folders(location, identity)
        with exclusive(location.lock, timeout=timeout):
            if running := adopt(location):
                return running
            return _start_locked(location, identity, server_settings or {}, timeout)
    except OSError as exc:
        where = exc.filename or location.root
        raise ConfigurationError(f"the embedded database cannot be started: {where}: {exc.strerror}") from exc


def stop(location: Location, *, timeout: float = STOP_SECONDS_MAX) -> bool:
    """
    Stop the server: open transactions are rolled back, what is committed is on disk. False if none ran.

    Raises:
        ConfigurationError: it belongs to another user, or did not stop in time.
    """
    if process.find(location.data) is None:
        return False
    identity = server_identity(location)
    with exclusive(location.lock, timeout=timeout):
        if process.find(location.data) is None:
            return False
        _stop_locked(location, identity, timeout)
    return True


def replace_data(location: Location, prepared: Path, *, aside: Path, timeout: float = STOP_SECONDS_MAX) -> None:
    """
    Stop the server and give it other data, of a folder on the same disk; its own are kept under another name.

    A process that is killed on the way has done nothing, or the next start finishes what it began.

    Raises:
        ConfigurationError: it belongs to another user, or did not stop in time.
        OSError: the disk refuses.
    """
    identity = server_identity(location)
    with exclusive(location.lock, timeout=timeout):
        if process.find(location.data) is not None:
            _stop_locked(location, identity, timeout)
        swapping.swap(location, prepared, aside=aside)


def settle(location: Location, *, timeout: float = STOP_SECONDS_MAX) -> None:
    """Finish a `replace_data` that was killed, if there is one and no server runs."""
    identity = server_identity(location)
    cluster.prepare_folders(location, identity)
    with exclusive(location.lock, timeout=timeout):
        if process.find(location.data) is None:
            swapping.finish(location)


def status(location: Location) -> Status:
    """Return what runs here, without starting anything."""
    postmaster = process.find(location.data)
    version = cluster.data_version(location.data)
    if postmaster is not None:
        version = find_binaries(location.binaries, identity=None).version
    return Status(
        running=postmaster is not None and postmaster.ready,
        version=version,
        path=str(location.data),
        pid=postmaster.pid if postmaster else None,
        socket=str(location.socket_directory),
    )


def _stop_locked(location: Location, identity: Identity | None, timeout: float) -> None:
    binaries = find_binaries(location.binaries, identity=identity)
    command = [binaries.program("pg_ctl"), "stop", "-D", str(location.data), "-m", "fast", "-t", f"{timeout:.0f}"]
    done = run(command, identity=identity, timeout=timeout + 10)
    if done.returncode:
        reason = " ".join((done.stderr or done.stdout).split())
        raise ConfigurationError(f"the embedded database did not stop: {reason}")


def _start_locked(
    location: Location, identity: Identity | None, server_settings: Mapping[str, str], timeout: float
) -> Running:
    binaries = find_binaries(location.binaries, identity=identity)
    swapping.finish(location)
    if cluster.data_version(location.data) is None:
        cluster.create(location, binaries, identity)
    elif (running := process.find(location.data)) and running.ready:
        # Something has removed its socket: nobody can reach it any more, and only a restart makes a new one.
        _stop_locked(location, identity, timeout)
    cluster.check_version(location, binaries)
    cluster.check_private(location.socket_directory, owner=identity.uid if identity else location.data.stat().st_uid)
    cluster.configure(location, server_settings, identity)
    deadline = time.monotonic() + timeout
    recovery = time.monotonic() + min(RECOVERY_SECONDS_MAX, timeout)
    while True:
        process.clear_stale(location.data)
        mark = _log_size(location.log)
        pid = process.launch(binaries, location, identity)
        while process.is_alive(pid) and time.monotonic() < deadline:
            if (found := process.find(location.data)) and found.ready:
                return Running(found.pid, str(location.socket_directory), location.port)
            time.sleep(_POLL_SECONDS)
        reason = _last_words(location.log, mark)
        if time.monotonic() > deadline:
            raise ConfigurationError(f"the embedded database was not ready after {timeout:.0f} s: {reason}")
        if not _left_by_a_dead_server(reason) or time.monotonic() > recovery:
            raise ConfigurationError(f"the embedded database did not start: {reason} (see {location.log})")
        time.sleep(0.2)


def _left_by_a_dead_server(reason: str) -> bool:
    return any(words in reason for words in ("already exists", "still in use", "is empty"))


def _log_size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _last_words(log: Path, mark: int) -> str:
    try:
        with log.open("rb") as file:
            file.seek(mark)
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError as exc:
        return exc.strerror or "no log"
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "No space left" in line] or lines
    return " ".join(telling[-1].split()) if telling else "it said nothing"


def ensure_started(location: Location, begin: Callable[[Location], Running] = start) -> None:
    """Start the server, by `begin`, if it does not run; about 50 µs when it does."""
    postmaster = process.find(location.data)
    if postmaster is None or not postmaster.ready or not location.socket.exists():
        begin(location)
