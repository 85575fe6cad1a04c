"""
The accounts that were opened from this machine: what a logger knows of them while the database is down.

    FRIREN_HOME/accounts/<database>/<account id>.json

One small file each, written whole or not at all. The database stays the truth; this is a memory of it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from uuid import UUID

import msgspec

__all__ = ["KnownAccounts"]


class KnownAccounts:
    """
    The files of one database.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._saved: set[UUID] = set()

    def save(self, account_id: UUID, facts: dict[str, str]) -> None:
        """Remember an account. A disk that refuses costs the memory, nothing else."""
        if account_id in self._saved:
            return
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".", dir=self.folder)  # mode 0600
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(msgspec.json.encode(facts))
                Path(name).replace(self._path(account_id))
            except OSError:
                Path(name).unlink()
                raise
            self._saved.add(account_id)

    def find(self, account_id: UUID) -> dict[str, str] | None:
        """Return what was saved of an account, None if nothing can be read."""
        return _read(self._path(account_id))

    def named(self, name: str) -> list[dict[str, str]]:
        """Return the accounts of that name, whoever owns them."""
        try:
            found = [_read(path) for path in sorted(self.folder.glob("*.json"))]
        except OSError:
            return []
        return [facts for facts in found if facts is not None and facts.get("name") == name]

    def _path(self, account_id: UUID) -> Path:
        return self.folder / f"{account_id}.json"


def _read(path: Path) -> dict[str, str] | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return None
