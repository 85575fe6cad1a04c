"""The data directory: made whole or not at all, private, of one major version."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from friren.embedded.binaries import Binaries, run
from friren.embedded.location import Identity, Location
from friren.errors import ConfigurationError

__all__ = ["check_private", "check_version", "configure", "create", "data_version", "prepare_folders"]

OWNER: Final = "friren"
DATABASE: Final = "friren"
LOG_BYTES_MAX: Final = 10_000_000
_BUILTIN_LOCALE_SINCE: Final = 17
_PRIVATE: Final = 0o700
_CONFIGURATION: Final = "friren.conf"
# Written anew at every start, because the folder may have moved.
_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "max_connections": "200",  # several bots, each with a pool of its own
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


def data_version(data: Path) -> str | None:
    """Return the major version that a data directory was made by; None when there is none."""
    try:
        return (data / "PG_VERSION").read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def check_version(location: Location, binaries: Binaries) -> None:
    """Refuse a data directory of another major version: these programs cannot read it."""
    found = data_version(location.data)
    if found != str(binaries.major):
        raise ConfigurationError(
            f"{location.data} was made by PostgreSQL {found}, and this is PostgreSQL {binaries.version}: "
            "dump it with the old version and restore it here, or set FRIREN_HOME to another folder"
        )


def prepare_folders(location: Location, identity: Identity | None) -> None:
    """Make the folders around the data directory, passable for the server's user, the socket's private."""
    missing = [folder for folder in (location.root, *location.root.parents) if not folder.exists()]
    location.root.mkdir(parents=True, exist_ok=True)
    if identity is not None and sys.platform != "win32":
        for folder in missing:
            folder.chmod(0o755)  # whatever the umask: the server's user has to pass
        os.chown(location.root, identity.uid, identity.gid)
    try:
        location.socket_directory.mkdir(mode=_PRIVATE, parents=True)
    except FileExistsError:
        return
    if identity is not None and sys.platform != "win32":
        os.chown(location.socket_directory, identity.uid, identity.gid)


def check_private(directory: Path, *, owner: int) -> None:
    """
    Refuse a socket directory that others may enter or own: whoever reaches the socket is the superuser.

    Raises:
        ConfigurationError: the directory is a link, or its owner or mode is wrong.
    """
    if sys.platform == "win32":
        return  # the profile folder is private by its access list
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise ConfigurationError(f"{directory} must be a directory of mode 0700 owned by user {owner}: remove it")


def create(location: Location, binaries: Binaries, identity: Identity | None) -> None:
    """Make the data directory with an empty database, under a draft name until it is complete."""
    draft = location.root / "data.draft"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        _fill(draft, binaries, identity)
        draft.rename(location.data)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _fill(draft: Path, binaries: Binaries, identity: Identity | None) -> None:
    locale = ["--locale=C.UTF-8"]
    if binaries.major >= _BUILTIN_LOCALE_SINCE:
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    # Whoever reaches the socket is trusted: its directory is private. A network port, if one is ever opened by
    # hand, asks for a password.
    access = ["--auth-local=trust", "--auth-host=scram-sha-256"]
    initdb = [binaries.program("initdb"), "-D", str(draft), "-U", OWNER, "-E", "UTF8", *locale, *access]
    single = [binaries.program("postgres"), "--single", "-D", str(draft), "postgres"]
    for command, stdin in ((initdb, None), (single, f"CREATE DATABASE {DATABASE}\n")):
        done = run(command, identity=identity, stdin=stdin)
        if done.returncode or "ERROR" in done.stderr:
            raise ConfigurationError(f"the embedded database cannot be made in {draft.parent}: {_reason(done)}")
    with (draft / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(f"\ninclude '{_CONFIGURATION}'\n# Yours, never written by Friren:\n")
        file.write("include_if_exists 'friren.local.conf'\n")


def configure(location: Location, server_settings: Mapping[str, str], identity: Identity | None) -> None:
    """Write the server's settings, and begin a new log when the old one has grown."""
    settings = {
        **_SETTINGS,
        "port": str(location.port),
        "unix_socket_directories": f'"{location.socket_directory}"',
        **({"client_connection_check_interval": "5s"} if sys.platform == "linux" else {}),
        **server_settings,
    }
    target = location.data / _CONFIGURATION
    draft = target.with_suffix(".draft")
    draft.write_text("".join(f"{name} = {_quoted(value)}\n" for name, value in settings.items()), encoding="utf-8")
    if identity is not None and sys.platform != "win32":
        os.chown(draft, identity.uid, identity.gid)
    draft.replace(target)
    if location.log.exists() and location.log.stat().st_size > LOG_BYTES_MAX:
        location.log.replace(location.log.with_suffix(".log.1"))


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    text = f"{done.stderr}\n{done.stdout}"
    lines = [line for line in text.splitlines() if any(word in line for word in ("error", "ERROR", "FATAL", "PANIC"))]
    return " ".join((lines or text.split("\n"))[0].split())
