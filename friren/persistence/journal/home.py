"""Where a writer's segments lie: a directory that is made with the first record, and the lock that says it lives."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final
from uuid import UUID

from friren.persistence import settings
from friren.persistence.journal import locking
from friren.persistence.journal.address import Address
from friren.persistence.journal.files import Files
from friren.persistence.journal.reader import LOCK
from friren.persistence.journal.shelf import make_producer_directory

__all__ = ["NO_HANDLE", "Home"]

NO_HANDLE: Final = -1


class Home:
    """
    The directory of one producer.

    Attributes:
        directory: its path.
    """

    def __init__(self, root: Path, address: Address, producer: UUID, files: Files) -> None:
        self.directory = root / address.folder / str(producer)
        self._root, self._address, self._producer, self._files = root, address, producer, files
        self._lock = NO_HANDLE

    def enter(self) -> None:
        """Make the directory and hold its lock, unless that is done. Raises OSError."""
        if self._lock != NO_HANDLE:
            return
        make_producer_directory(self._root, self._address, self._producer, self._files)
        with contextlib.suppress(OSError):  # a file system without locks is one all the same
            lock = locking.hold(self.directory / LOCK, self._files, patience=settings.LOCK_PATIENCE_SECONDS)
            self._lock = NO_HANDLE if lock is None else lock

    def leave(self) -> None:
        """Give the lock back."""
        lock, self._lock = self._lock, NO_HANDLE
        if lock != NO_HANDLE:
            with contextlib.suppress(OSError):
                self._files.close(lock)
