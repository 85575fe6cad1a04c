"""What a file of a month holds, written beside it: a file without its manifest is none of ours."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

import msgspec

from friren.errors import ArchiveError
from friren.operations.archive.cold.places import Place, sha256_of

__all__ = ["Manifest", "encoded", "fetch", "manifest_name", "manifests_of", "new_name"]

_SUFFIX: Final = ".parquet"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One file.

    Attributes:
        file: its name, `table/month=2024-01/….parquet`.
        table, month: whose rows of which month (UTC, YYYY-MM).
        time_column: that says so.
        columns: PostgreSQL's type by column, in the order in which `digest` has them.
        products: SQL by the name of a column that is no column of the table.
        rows, digest: how many, and the sum over them of the first 64 bits of SHA-256 of `ROW(columns)::text`.
        bytes, sha256: of the file.
    """

    file: str
    table: str
    month: str
    time_column: str
    columns: dict[str, str]
    products: dict[str, str]
    rows: int
    digest: str
    bytes: int
    sha256: str
    written_at: str
    friren: str


def encoded(manifest: Manifest) -> bytes:
    """Return a manifest as its file has it."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def new_name(table: str, month: str) -> str:
    """Return a name for a file; two files of one month differ. Readers of hives take the folder for a column."""
    return f"{table}/month={month}/{secrets.token_hex(6)}{_SUFFIX}"


def manifest_name(file: str) -> str:
    """Return the name of the manifest of a file: Spark and Athena pass over names that begin with an underscore."""
    folder, _, name = file.rpartition("/")
    return f"{folder}/_{name.removesuffix(_SUFFIX)}.json"


def manifests_of(place: Place, table: str, scratch: Path) -> list[Manifest]:
    """
    Return the manifests of a table's files, in the order of their months.

    Raises:
        ArchiveError: one cannot be read.
    """
    found = []
    for name in place.names(f"{table}/"):
        if name.rpartition("/")[2].startswith("_") and name.endswith(".json"):
            place.get(name, scratch / "manifest.json")
            try:
                found.append(msgspec.json.decode((scratch / "manifest.json").read_bytes(), type=Manifest))
            except msgspec.MsgspecError as exc:
                raise ArchiveError(f"{place.name}/{name} is damaged: {exc}") from exc
    return sorted(found, key=lambda one: (one.month, one.file))


def fetch(place: Place, manifest: Manifest, target: Path) -> None:
    """
    Fetch a file, and prove that it is the one that was written.

    Raises:
        ArchiveError: it is gone, or other than its manifest says.
    """
    place.get(manifest.file, target)
    if sha256_of(target) != manifest.sha256:
        raise ArchiveError(f"{place.name}/{manifest.file} is damaged: its SHA-256 is not that of its manifest")
