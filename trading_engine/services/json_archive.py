"""Files that were left behind, put aside whole: moved, with a list of what they were."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Final

from friren.errors import ConfigurationError
from trading_engine.data.atomic_files import replacing
from trading_engine.data.prescient import TABLES, files_of
from trading_engine.data.storage.mode import StorageMode

__all__ = ["archive_json"]

MANIFEST: Final = "MANIFEST.json"


def archive_json(root: Path, to: Path, *, mode: StorageMode) -> dict[str, Any]:
    """
    Move the files below `root` to the folder `to`, with a manifest of their sizes and SHA-256.

    The manifest is written first: a move that is interrupted is finished by the next call.

    Raises:
        ConfigurationError: files are still written or read, or another file stands in the place of one.
        OSError: the disk refuses.
    """
    if mode.write_file or mode.fallback_to_file:
        raise ConfigurationError(
            "the files are still in use: set DUAL_WRITE=false and DATABASE_FALLBACK_TO_JSON=false first (phase 7)"
        )
    found = sorted({path for table in TABLES for path in files_of(root, table)})
    moved: list[dict[str, Any]] = [
        {"path": path.relative_to(root).as_posix(), "bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in found
    ]
    for one in moved:
        target = to / one["path"]
        # The same file is there where a move was interrupted.
        if target.exists() and _sha256(target) != one["sha256"]:
            raise ConfigurationError(f"{target} is there already, and is another file; name another folder")
    if moved:
        before = json.loads((to / MANIFEST).read_text(encoding="utf-8")) if (to / MANIFEST).exists() else []
        with replacing(to / MANIFEST) as file:
            file.write(json.dumps([*(one for one in before if one not in moved), *moved], indent=2).encode())
    for path, one in zip(found, moved, strict=True):
        with path.open("rb") as source, replacing(to / one["path"]) as file:
            shutil.copyfileobj(source, file)
        path.unlink()
    return {"root": str(root), "to": str(to), "files": moved, "moved": len(moved)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
