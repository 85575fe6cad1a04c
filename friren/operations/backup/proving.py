"""Compare unpacked files with the account that pg_basebackup gave of them, where no pg_verifybackup does it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import msgspec

from friren.errors import BackupError
from friren.operations.backup.settings import CHUNK_BYTES

__all__ = ["PG_MANIFEST", "check_files"]

# pg_basebackup's own account of its files, without which nothing can build on it.
PG_MANIFEST: Final = "backup_manifest"
_OWN_SUM: Final = b'"Manifest-Checksum"'
# What is there by other ways, or may be written anew: as pg_verifybackup leaves it out.
_LEFT_OUT: Final = frozenset({PG_MANIFEST, "postgresql.auto.conf", "recovery.signal", "standby.signal"})
_WAL: Final = "pg_wal/"


class _File(msgspec.Struct):
    size: int = msgspec.field(name="Size")
    path: str = msgspec.field(name="Path", default="")
    encoded: str = msgspec.field(name="Encoded-Path", default="")
    algorithm: str = msgspec.field(name="Checksum-Algorithm", default="")
    checksum: str = msgspec.field(name="Checksum", default="")


class _Account(msgspec.Struct):
    files: list[_File] = msgspec.field(name="Files")
    checksum: str = msgspec.field(name="Manifest-Checksum")


def check_files(folder: Path) -> None:
    """
    Compare every file of a data directory with its backup_manifest: size and SHA-256, none missing, none new.

    Raises:
        BackupError: one differs; the message names it.
    """
    text = (folder / PG_MANIFEST).read_bytes()
    try:
        account = msgspec.json.decode(text, type=_Account)
    except msgspec.MsgspecError as exc:
        raise BackupError(f"{PG_MANIFEST} cannot be read: {exc}") from exc
    if hashlib.sha256(text[: text.rindex(_OWN_SUM)]).hexdigest() != account.checksum:
        raise BackupError(f"{PG_MANIFEST} is damaged")
    expected = {one.path or bytes.fromhex(one.encoded).decode("utf-8", "surrogateescape"): one for one in account.files}
    for name, one in expected.items():
        if not _left_out(name):
            _compare(folder / name, name, one)
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in expected and not _left_out(name):
            raise BackupError(f"{name} is not in {PG_MANIFEST}")


def _left_out(name: str) -> bool:
    return name in _LEFT_OUT or name.startswith(_WAL)


def _compare(path: Path, name: str, one: _File) -> None:
    if one.algorithm != "SHA256":
        raise BackupError(f"{name} has no SHA-256 in {PG_MANIFEST}")
    found, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                found.update(chunk)
                size += len(chunk)
    except OSError as exc:
        raise BackupError(f"{name} cannot be read: {exc.strerror}") from exc
    if (size, found.hexdigest()) != (one.size, one.checksum):
        raise BackupError(f"{name} is not as {PG_MANIFEST} has it")
