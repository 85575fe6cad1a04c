"""The lock that tells whether the writer of a journal lives. It saves work; nothing rests on it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from friren.locking import try_lock
from friren.persistence.journal.files import FILES, Files

__all__ = ["hold", "is_held"]

GLANCE_SECONDS: Final = 0.001


def hold(path: Path, files: Files = FILES, *, patience: float = 0.0) -> int | None:
    """
    Take the lock and return its handle, closing which gives it back; None when another process holds it.

    Args:
        patience: seconds to wait for somebody who only looks whether it is held, and holds it for that moment.
    """
    handle, until = files.open_lock(path), time.monotonic() + patience
    while not try_lock(handle):
        if time.monotonic() >= until:
            files.close(handle)
            return None
        time.sleep(GLANCE_SECONDS)
    return handle


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
