"""A host name of the laboratory's own, which resolves or does not, for the processes that log and for nobody else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Final

import psycopg

__all__ = ["HOST", "Names", "obey"]

# No name server ever knows a name that ends like this (RFC 6761).
HOST: Final = "database.laboratory.invalid"
ADDRESS: Final = "127.0.0.1"
# Tells the processes that log where their names are, when they cannot have an /etc/hosts of their own.
VARIABLE: Final = "LABORATORY_HOSTS"
_MOUNT: Final = 'mount --bind "$0/hosts" /etc/hosts && mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf && exec "$@"'


class Names:
    """
    The names that a crew knows.

    A crew has a mount namespace of its own, where /etc/hosts is a file of the laboratory: libpq asks the C library,
    which reads that file and asks nobody else. Where the system allows no namespaces, HOST is a name that nobody
    knows, and libpq is told its address beside it as long as it is to resolve: that it fails to resolve is real too.

    Args:
        folder: for the files that name hosts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hosts = folder / "hosts"
        (folder / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
        self.come()
        space = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else []), "sh", "-c", _MOUNT, str(folder)]
        try:
            self.own = subprocess.run([*space, "true"], capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            self.own = False
        self._space = space if self.own else []

    @property
    def command(self) -> list[str]:
        """What runs a command among these names, to be put before it."""
        return self._space

    @property
    def environment(self) -> dict[str, str]:
        """What tells a process where its names are."""
        return {} if self.own else {VARIABLE: str(self._hosts)}

    def come(self) -> None:
        """Let HOST resolve."""
        self._hosts.write_text(f"{ADDRESS} localhost {HOST}\n")

    def go(self) -> None:
        """Let HOST be a name that nobody knows."""
        self._hosts.write_text(f"{ADDRESS} localhost\n")


def obey() -> None:
    """Let this process know HOST only while its file of names does, where it has no /etc/hosts of its own."""
    told = os.environ.get(VARIABLE)
    if told is None:
        return

    really = psycopg.Connection.connect.__func__

    def connect(owner: type, conninfo: str = "", **more: Any) -> Any:
        if more.get("host") == HOST and HOST in Path(told).read_text():
            more["hostaddr"] = ADDRESS
        return really(owner, conninfo, **more)

    psycopg.Connection.connect = classmethod(connect)
    psycopg.connect = psycopg.Connection.connect
