"""The lock that tells whether the writer of a journal lives. It saves work; nothing rests on it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from friren.persistence.journal.files import FILES, Files

__all__ = ["hold", "is_held"]


def hold(path: Path, files: Files = FILES) -> int | None:
    """Take the lock and return its handle, closing which gives it back; None when another process holds it."""
    handle = files.open_lock(path)
    if _try_lock(handle):
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


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
