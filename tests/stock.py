"""Data directories in stock: made once per run by our own launcher, copied for every server that a test throws away."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from friren.embedded import Location, cluster, process
from friren.embedded.location import server_identity
from friren.locking import exclusive
from tests.postgres import scratch

__all__ = ["end_server", "lay", "put_in_stock"]


def put_in_stock(data: Path, name: str) -> None:
    """Keep a copy of the data directory of a server that was stopped."""
    draft = scratch() / f"stock-{name}.draft"
    _copy(data, draft)
    draft.rename(_stock(name))


def lay(location: Location, name: str) -> bool:
    """Give a server without data those in stock under `name`; False when there are none yet."""
    if not _stock(name).exists():
        return False
    identity = server_identity(location)
    cluster.prepare_folders(location, identity)
    with exclusive(location.lock, timeout=60):
        draft = location.data.with_name("data.draft")
        _copy(_stock(name), draft)
        draft.rename(location.data)
    return True


def end_server(location: Location) -> None:
    """End a server whose data nobody wants any more: at once, without the last checkpoint."""
    found = process.find(location.data)
    if found is None:
        return
    os.kill(found.pid, signal.SIGQUIT)
    deadline = time.monotonic() + 60
    while process.is_alive(found.pid):
        assert time.monotonic() < deadline, "the server does not end"
        time.sleep(0.01)


def _stock(name: str) -> Path:
    return scratch() / f"stock-{name}"


def _copy(source: Path, target: Path) -> None:
    # Owners and modes too: as root, the server runs as another user.
    subprocess.run(["cp", "-a", "--", str(source), str(target)], check=True)
