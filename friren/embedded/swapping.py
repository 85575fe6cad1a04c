"""
Give a server that is stopped other data.

Two renames, and between them there are no data: a start would make new, empty ones. So what is meant is written down
first, and every start finishes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Final

from friren.embedded.location import Location

__all__ = ["finish", "swap"]

_INTENT: Final = "swap.json"


def swap(location: Location, prepared: Path, *, aside: Path) -> None:
    """Put `prepared` in the place of the data, which go to `aside`. The caller holds the lock; no server runs."""
    intent, draft = location.root / _INTENT, location.root / f".{_INTENT}"
    with draft.open("w", encoding="utf-8") as file:
        json.dump({"prepared": str(prepared), "aside": str(aside)}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(intent)
    _sync(location.root)
    finish(location)


def finish(location: Location) -> None:
    """Finish a swap that was begun, if one was. The caller holds the lock; no server runs."""
    intent = location.root / _INTENT
    try:
        meant = json.loads(intent.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    prepared, aside = Path(meant["prepared"]), Path(meant["aside"])
    if prepared.exists():
        # Where they are gone already, the first of the two renames was done.
        with contextlib.suppress(FileNotFoundError):
            location.data.rename(aside)
        prepared.rename(location.data)
        _sync(location.root)
        _sync(prepared.parent)
    intent.unlink()
    _sync(location.root)


def _sync(folder: Path) -> None:
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
