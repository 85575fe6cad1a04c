"""What commands tell of a backup."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from friren.operations.backup.manifest import Manifest
from friren.operations.backup.shelf import Stored

__all__ = ["of_manifest", "of_stored"]


def of_manifest(manifest: Manifest, path: Path, *, verified: bool) -> Mapping[str, Any]:
    """Return the report of one backup."""
    return {
        "id": manifest.id,
        "kind": manifest.kind.lower(),
        "label": manifest.label,
        "path": str(path),
        "bytes": manifest.bytes,
        "sha256": manifest.sha256,
        "encrypted": bool(manifest.recipients),
        "started_at": manifest.started_at,
        "seconds": manifest.seconds,
        "verified": verified,
        "tables": {name: {"rows": one.rows, "digest": one.digest} for name, one in manifest.contents.tables.items()},
    }


def of_stored(stored: Stored) -> Mapping[str, Any]:
    """Return the line of one backup in a list; one that is damaged says how."""
    if stored.manifest is None:
        return {"id": stored.folder.name, "path": str(stored.folder), "verified": False, "problem": stored.problem}
    report = dict(
        of_manifest(stored.manifest, stored.folder / stored.manifest.file, verified=bool(stored.verification))
    )
    report["tables"] = len(stored.manifest.contents.tables)
    return report
