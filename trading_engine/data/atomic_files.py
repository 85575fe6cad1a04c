"""Files that are written whole or not at all, on Linux and Windows alike."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from friren.persistence.journal.files import FILES

__all__ = ["replacing"]

# Windows refuses to replace a file that somebody has open; a reader is soon done.
REPLACE_ATTEMPTS: Final = 20
REPLACE_PAUSE_SECONDS: Final = 0.05


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """
    Open a draft of `path` for writing; it takes the place of `path` at the end of the block, unless that raises.

    Whoever reads finds the old content or the new one, after a power cut too: the draft is synced before it is
    renamed, and the folder after it.

    Raises:
        OSError: the disk refuses; `path` is what it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".draft", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(path, draft)
        _rename(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    FILES.sync_directory(path.parent)


def _rename(draft: Path, path: Path) -> None:
    for attempt in range(REPLACE_ATTEMPTS):
        try:
            draft.replace(path)
        except PermissionError:
            if sys.platform != "win32" or attempt == REPLACE_ATTEMPTS - 1:
                raise
            time.sleep(REPLACE_PAUSE_SECONDS)
        else:
            return
