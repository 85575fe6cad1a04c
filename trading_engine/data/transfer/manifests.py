"""What a folder of an export says of itself."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Final

import msgspec

from trading_engine.data.atomic_files import replacing
from trading_engine.data.importers.parsed import UnreadableFileError

__all__ = ["MANIFEST", "ExportedTable", "Manifest", "read_manifest", "sha256_of", "write_manifest"]

MANIFEST: Final = "manifest.json"
VERSION: Final = 1
_CHUNK: Final = 1 << 20


class ExportedTable(msgspec.Struct, frozen=True):
    """One table: its file, how many rows it has, the file's SHA-256, and the digest of its rows."""

    name: str
    file: str
    rows: int
    bytes: int
    sha256: str
    digest: str


class Manifest(msgspec.Struct, frozen=True):
    """
    One export.

    Attributes:
        format: json, csv or parquet.
        account, account_id: whose rows, "" for everybody's.
        migrations: of the database that it comes from, the newest of each app: its schema's version.
        moment: of the snapshot that all tables were read in.
    """

    friren_version: str
    format: str
    account: str
    account_id: str
    moment: dt.datetime
    migrations: dict[str, str]
    tables: list[ExportedTable]
    version: int = VERSION


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, last of all: a folder without one is no export."""
    with replacing(folder / MANIFEST) as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """
    Return the manifest of an export.

    Raises:
        UnreadableFileError: there is none, or it was written by a newer Friren.
    """
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as exc:
        rule = f"no export of Friren: {MANIFEST} cannot be read ({exc.strerror})"
        raise UnreadableFileError(folder, rule) from exc
    except msgspec.MsgspecError as exc:
        raise UnreadableFileError(path, f"no manifest of an export ({exc})") from exc
    if manifest.version > VERSION:
        raise UnreadableFileError(path, f"written by a newer Friren: its version is {manifest.version}")
    return manifest


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()
