"""Exports of Friren: which folders hold one, and whether their files are those that were written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.transfer.formats import FORMATS
from trading_engine.data.transfer.manifests import Manifest, read_manifest, sha256_of
from trading_engine.data.transfer.tables import Table, exported_tables

__all__ = ["open_export"]


def open_export(folder: Path) -> tuple[Manifest, list[Table]]:
    """
    Return the manifest of an export, and its tables in the order in which they can be stored.

    Raises:
        UnreadableFileError: it is none, a file is missing or damaged, or it has tables that this Friren does not know.
    """
    manifest = read_manifest(folder)
    if manifest.format not in FORMATS:
        raise UnreadableFileError(folder, f"its format is {manifest.format!r}: {', '.join(FORMATS)}")
    for rule in _faults(folder, manifest):
        raise UnreadableFileError(folder, rule)
    names = {one.name for one in manifest.tables}
    known = exported_tables()
    unknown = sorted(names - {table.name for table in known})
    if unknown:
        raise UnreadableFileError(folder, f"this Friren has no table {unknown[0]}: it was written by another version")
    return manifest, [table for table in known if table.name in names]


def _faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    for one in manifest.tables:
        try:
            found = sha256_of(folder / one.file)
        except OSError as exc:
            yield f"{one.file} cannot be read ({exc.strerror})"
            continue
        if found != one.sha256:
            yield f"{one.file} is damaged: its SHA-256 is {found}, not that of the manifest"
