"""The lock that tells whether the writer of a journal lives. It saves work; nothing rests on it."""

from __future__ import annotations

import os
from pathlib import Path

from friren.locking import try_lock
from friren.persistence.journal.files import FILES, Files

__all__ = ["hold", "is_held"]


def hold(path: Path, files: Files = FILES) -> int | None:
    """Take the lock and return its handle, closing which gives it back; None when another process holds it."""
    handle = files.open_lock(path)
    if try_lock(handle):
        return handle
    files.close(handle)
    return None


def is_held(path: Path) -> bool:
    """Return whether another handle, of this process or another, holds the lock, or may hold it."""
    if not path.exists():
        return False
    try:
        handle = hold(path)
    except OSError:
        return True  # a file system without locks: nobody knows
    if handle is not None:
        os.close(handle)
    return handle is None
