"""
What a backup says of itself, and proving that it is still what it was.

    20261120T020000Z-daily-3f9a1c/
        friren.dump           written by pg_dump, read by pg_restore; .age when it is encrypted
                              of a whole server: base.tar.gz, and the backup_manifest of pg_basebackup beside it
        manifest.json         where it comes from and what is in it
        SHA256SUMS            of both; `sha256sum -c SHA256SUMS` checks them without Friren
        verification.json     once it was restored and compared
"""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Final

import msgspec

from friren.errors import BackupError
from friren.operations.backup.contents import Contents
from friren.operations.backup.settings import CHUNK_BYTES

__all__ = [
    "MANIFEST",
    "SUMS",
    "VERIFICATION",
    "Manifest",
    "Physical",
    "Verification",
    "check_sums",
    "read_manifest",
    "sums_of",
]

MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
VERIFICATION: Final = "verification.json"
FORMAT_VERSION: Final = 1


class Physical(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What the backup of a whole server needs to be restored, alone or with the WAL that was archived since.

    Attributes:
        system_identifier: of the cluster.
        timeline: on which it was made.
        start_lsn, stop_lsn: what has to be replayed for it to be consistent, such as "0/2000028".
        first_segment, last_segment: the names of that WAL, which is in the backup too.
        segment_bytes: size of a segment.
        stopped_at: by the server's clock; every moment since then can be reached from it.
        superuser: the cluster's first role.
        unpacked_bytes: room that its files need.
        parent: the backup that an incremental one builds on; "" for a base.
    """

    system_identifier: str
    timeline: int
    start_lsn: str
    stop_lsn: str
    first_segment: str
    last_segment: str
    segment_bytes: int
    stopped_at: dt.datetime
    superuser: str
    unpacked_bytes: int
    parent: str = ""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    One backup.

    Attributes:
        id: name of its folder; sorts by time.
        kind: a BackupKind; BASE or INCREMENTAL for one of a whole server.
        format: "custom" (pg_restore reads it) or "plain" (psql does); "base" or "incr" for one of a whole server.
        file: name of the dump in the folder; its bytes and sha256 are of the file as it lies there.
        beside: other files of the folder, with their sha256.
        recipients: age public keys it is encrypted for; none means that it is not.
        seconds: that it took.
        server_version, program_version: of PostgreSQL and pg_dump, such as "18.4".
        audit_head: the newest seal in the dump, as `verify_audit --expect` takes it; "" when nothing was sealed.
    """

    id: str
    kind: str
    label: str
    format: str
    file: str
    bytes: int
    sha256: str
    recipients: list[str]
    started_at: dt.datetime
    finished_at: dt.datetime
    seconds: float
    database: str
    server_version: str
    program_version: str
    friren_version: str
    contents: Contents
    audit_head: str = ""
    physical: Physical | None = None
    beside: dict[str, str] = {}
    version: int = FORMAT_VERSION

    @property
    def major(self) -> int:
        """The major version of the server that was dumped."""
        return int(self.server_version.partition(".")[0])


class Verification(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    The proof that a backup was restored and found equal.

    Attributes:
        sha256: of the dump that was restored.
        server_version: of the scratch server.
        skipped: what was not compared.
    """

    verified_at: dt.datetime
    sha256: str
    server_version: str
    tables: int
    rows: int
    seconds: float
    skipped: list[str]


def sums_of(manifest: Manifest, written: bytes) -> bytes:
    """Return the content of SHA256SUMS for a manifest and the bytes it is written as."""
    sums = {manifest.file: manifest.sha256, **manifest.beside, MANIFEST: hashlib.sha256(written).hexdigest()}
    lines = (f"{digest}  {name}" for name, digest in sums.items())
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def read_manifest(folder: Path, *, name: str | None = None) -> Manifest:
    """
    Return the manifest of a backup, itself proven by SHA256SUMS.

    Args:
        name: of the backup; that of its folder by default.

    Raises:
        BackupError: it is missing, damaged, of another folder, or of a newer Friren.
    """
    try:
        written, sums = (folder / MANIFEST).read_bytes(), (folder / SUMS).read_bytes()
        # Before a byte of it is believed.
        if f"{hashlib.sha256(written).hexdigest()}  {MANIFEST}".encode() not in sums.splitlines():
            raise BackupError(f"{folder.name}: the manifest is damaged, or {SUMS} is")
        version = msgspec.json.decode(written, type=_Versioned).version
        if version > FORMAT_VERSION:
            raise BackupError(f"{folder.name} was made by a newer Friren: its manifest is of version {version}")
        manifest = msgspec.json.decode(written, type=Manifest)
    except OSError as exc:
        raise BackupError(f"{folder.name} is no backup: {exc.strerror}: {exc.filename}") from exc
    except msgspec.MsgspecError as exc:
        raise BackupError(f"{folder.name}: the manifest is none that this Friren wrote: {exc}") from exc
    if sums != sums_of(manifest, written):
        raise BackupError(f"{folder.name}: {SUMS} is not that of this backup")
    if manifest.id != (name or folder.name):
        raise BackupError(f"{folder.name}: the manifest is that of {manifest.id}")
    return manifest


def check_sums(folder: Path, *, name: str | None = None) -> Manifest:
    """
    Read a whole backup and compare its checksums; what it says after this is what was written.

    Args:
        name: of the backup; that of its folder by default.

    Raises:
        BackupError: the manifest or the dump is damaged, cut off or missing.
    """
    manifest = read_manifest(folder, name=name)
    for file, digest in {manifest.file: manifest.sha256, **manifest.beside}.items():
        what = "the dump" if manifest.physical is None else file
        try:
            found = _sha256(folder / file)
        except OSError as exc:
            raise BackupError(f"{folder.name}: {what} cannot be read: {exc.strerror}") from exc
        if found != digest:
            raise BackupError(f"{folder.name}: {what} is damaged: its sha256 is {found}, not its own")
    return manifest


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest()


class _Versioned(msgspec.Struct):
    version: int
