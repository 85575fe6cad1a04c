"""Giving up what PostgreSQL has: drained segments stay for a while as a second copy, then go."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from friren.persistence import settings
from friren.persistence.journal.files import FILES, Files
from friren.persistence.journal.segment import segment_names

__all__ = ["expire", "remove_if_empty"]


def expire(
    directory: Path, seq: int, *, last_seq: int | None = None, files: Files = FILES, at_once: bool = False
) -> int:
    """
    Remove segments whose records all are numbered up to `seq`, once they are old, or many.

    Args:
        last_seq: number of the last record of all; None while the last segment may still be written, which keeps it.
        at_once: whatever their age, because the disk is full.

    Returns:
        How many were removed.
    """
    try:
        segments = segment_names(directory)
    except OSError:
        return 0
    ends = [following.first_seq - 1 for following in segments[1:]]
    drained = [directory / name.file_name for name, end in zip(segments, ends, strict=False) if end <= seq]
    if segments and last_seq is not None and last_seq <= seq:
        drained.append(directory / segments[-1].file_name)
    kept_bytes, given_up = 0, []
    now = time.time()
    for path in reversed(drained):  # the newest are kept longest
        with contextlib.suppress(OSError):
            found = path.stat()
            kept_bytes += found.st_size
            old = now - found.st_mtime > settings.JOURNAL_KEEP_SECONDS
            if at_once or old or kept_bytes > settings.JOURNAL_KEEP_BYTES:
                given_up.append(path)
    removed = _remove(given_up[::-1], files)
    if removed:
        with contextlib.suppress(OSError):
            files.sync_directory(directory)
    return removed


def _remove(paths: list[Path], files: Files) -> int:
    """Remove files, the oldest first: whoever is killed here must not leave an end that is not the last."""
    for number, path in enumerate(paths):
        try:
            files.unlink(path)
        except OSError:
            return number
    return len(paths)


def remove_if_empty(directory: Path, *, lock: str) -> None:
    """Remove the directory of a producer that holds nothing any more but its lock file, and drafts of segments."""
    with contextlib.suppress(OSError):
        left = list(directory.iterdir())
        if all(path.name == lock or path.name.startswith(".") for path in left):
            for path in left:
                path.unlink(missing_ok=True)
            directory.rmdir()
