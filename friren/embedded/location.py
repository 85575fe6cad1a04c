"""Where an embedded server keeps its data and its socket, and which system user it runs as."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from friren.errors import ConfigurationError

__all__ = [
    "PORT",
    "SYSTEM_FOLDER",
    "Identity",
    "Location",
    "is_root",
    "locate",
    "readable_by_others",
    "server_identity",
    "socket_directory",
    "traversable",
]

PORT: Final = 5432
# For root, when the checkout lies where the server's own user cannot go.
SYSTEM_FOLDER: Final = Path("/var/lib/friren")
SYSTEM_USER: Final = "friren-pg"
# struct sockaddr_un, less its final zero.
SOCKET_PATH_BYTES_MAX: Final = 103 if sys.platform == "darwin" else 107


@dataclass(frozen=True, slots=True)
class Location:
    """
    One embedded server.

    Attributes:
        root: holds the data directory, the lock and the server's log.
        socket_directory: mode 0700, the host to connect to.
        binaries: directory of `postgres` and `initdb`; None for those of the wheel.
        port: only part of the socket's name, unless the server is told to listen on a network address.
    """

    root: Path
    socket_directory: Path
    binaries: Path | None = None
    port: int = PORT

    @property
    def data(self) -> Path:
        """The PostgreSQL data directory."""
        return self.root / "data"

    @property
    def socket(self) -> Path:
        """The socket itself."""
        return self.socket_directory / f".s.PGSQL.{self.port}"

    @property
    def lock(self) -> Path:
        """Held while a server is started or stopped."""
        return self.root / "lock"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.root / "server.log"


@dataclass(frozen=True, slots=True)
class Identity:
    """The system user that a server runs as, when that is not the caller."""

    uid: int
    gid: int


def locate(home: Path, *, binaries: Path | None = None) -> Location:
    """
    Return the location of the embedded server of `home` (FRIREN_HOME). Creates nothing.

    As root the server runs as a user of its own, who must be able to reach the data: where `home` lies below a
    private directory (root's own, say), the data go to a system folder named by a hash of `home`.
    """
    root = home / "postgres"
    if is_root() and not _holds_data(root) and not traversable(root):
        root = SYSTEM_FOLDER / _hash(home.resolve())
    return Location(root=root, socket_directory=socket_directory(root), binaries=binaries)


def is_root() -> bool:
    """Return whether the caller is the superuser, as whom PostgreSQL refuses to run."""
    return sys.platform != "win32" and os.geteuid() == 0


def readable_by_others(path: Path) -> bool:
    """Return whether a user without special rights can reach and read `path`."""
    return traversable(path) and bool(path.stat().st_mode & stat.S_IROTH)


def server_identity(location: Location) -> Identity | None:
    """
    Return the user to run the server as, made when it is missing; None for the caller.

    Raises:
        ConfigurationError: root cannot make the user, or the data belong to someone else.
    """
    data = location.data
    if sys.platform == "win32":
        return None  # pg_ctl drops administrator rights by itself
    if not is_root():
        if data.exists() and data.stat().st_uid != os.geteuid():
            raise ConfigurationError(
                f"the embedded database in {location.root} belongs to another user: "
                "work as that user, or set FRIREN_HOME to a folder of your own"
            )
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Identity(owner.st_uid, owner.st_gid)
    return _system_user()


def _system_user() -> Identity:
    assert sys.platform != "win32"
    import pwd

    try:
        found = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        _make_system_user()
        found = pwd.getpwnam(SYSTEM_USER)
    return Identity(found.pw_uid, found.pw_gid)


def _make_system_user() -> None:
    assert sys.platform != "win32"
    import pwd

    program = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise ConfigurationError(
            f"PostgreSQL does not run as root, and useradd is missing: make a system user {SYSTEM_USER}, "
            "or work as a normal user"
        )
    command = [program, "--system", "--user-group", "--no-create-home", "--home-dir", str(SYSTEM_FOLDER)]
    done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
        [*command, "--shell", "/usr/sbin/nologin", SYSTEM_USER], capture_output=True, text=True, check=False
    )
    try:
        pwd.getpwnam(SYSTEM_USER)  # another process may have made it meanwhile
    except KeyError:
        reason = " ".join(done.stderr.split())
        raise ConfigurationError(f"the system user {SYSTEM_USER} could not be made: {reason}") from None


def socket_directory(root: Path) -> Path:
    """Return where the server of a root has its socket: below it, or in /tmp where the path would be too long."""
    directory = root / "socket"
    longest = len(os.fsencode(directory / f".s.PGSQL.{PORT}"))
    # libpq reads a comma as the end of one host; the others would need quoting in the server's configuration.
    awkward = any(char in ',"\\' or not char.isprintable() for char in str(directory))
    if sys.platform != "win32" and (longest > SOCKET_PATH_BYTES_MAX or awkward):
        # /tmp, not TMPDIR: all processes have to agree on it. Owner and mode are checked before use.
        return Path("/tmp") / f"friren-{_hash(root)}"  # noqa: S108
    return directory


def _holds_data(root: Path) -> bool:
    return (root / "data" / "PG_VERSION").exists()


def traversable(path: Path) -> bool:
    """Return whether others may pass every directory above `path` that exists (new ones are made so)."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents if parent.exists())


def _hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
