"""Data directories in stock: made once per run by our own launcher, copied for every server that a test throws away."""

from __future__ import annotations

import subprocess
from pathlib import Path

from friren.embedded import Location, cluster
from friren.embedded.location import server_identity
from friren.locking import exclusive
from tests.postgres import scratch

__all__ = ["lay", "put_in_stock"]


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


def _stock(name: str) -> Path:
    return scratch() / f"stock-{name}"


def _copy(source: Path, target: Path) -> None:
    # Owners and modes too: as root, the server runs as another user.
    subprocess.run(["cp", "-a", "--", str(source), str(target)], check=True)
