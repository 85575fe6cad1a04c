"""One process at a time: a lock on a file, freed by the system however its holder ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from friren.errors import ConfigurationError

__all__ = ["exclusive", "try_lock"]

_POLL_SECONDS: Final = 0.02


if sys.platform == "win32":
    import msvcrt

    def try_lock(handle: int) -> bool:
        """Lock an open file, until it is closed; False when another handle holds the lock."""
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(handle: int) -> bool:
        """Lock an open file, until it is closed; False when another handle holds the lock."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextlib.contextmanager
def exclusive(path: Path, *, timeout: float) -> Iterator[None]:
    """
    Hold the lock on `path` (created when missing).

    Raises:
        ConfigurationError: another process held it for `timeout` seconds.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + timeout
        while not try_lock(handle):
            if time.monotonic() > deadline:
                raise ConfigurationError(f"another process has held {path} for {timeout:.0f} s")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(handle)
