"""
The folder of backups: each is there whole or not at all.

A backup is made under a hidden name and gets its own by one rename, after all of it was synced; it goes by a rename
to a hidden name too. What a killed process has left is hidden, so it is never listed, and the next one removes it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from friren.errors import BackupError, ConfigurationError
from friren.locking import exclusive
from friren.operations.backup.manifest import (
    MANIFEST,
    SUMS,
    VERIFICATION,
    Manifest,
    Verification,
    check_sums,
    read_manifest,
    sums_of,
)
from friren.operations.backup.retention import Candidate
from friren.operations.backup.settings import LOCK_SECONDS
from friren.operations.backup.wal import COPIES
from friren.persistence.journal.files import FILES

__all__ = ["Shelf", "Stored", "candidate_of", "is_name", "new_name"]

_PARTIAL: Final = ".partial-"
_LEAVING: Final = ".leaving-"
_LOCK: Final = ".lock"
_PRIVATE_FILE: Final = 0o600
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = re.compile(r"(?P<at>\d{8}T\d{6}Z)-(?P<kind>[a-z_]+)(-[A-Za-z0-9_.]+)?-[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class Stored:
    """
    One backup as it lies on disk.

    Attributes:
        manifest: None when it is damaged; `problem` says how.
        verification: None when it was never restored and compared.
    """

    folder: Path
    manifest: Manifest | None
    verification: Verification | None = None
    problem: str = ""


def new_name(at: dt.datetime, kind: str, label: str) -> str:
    """Return a name for a backup; names sort by time, and two of one second differ."""
    parts = [at.astimezone(dt.UTC).strftime(_STAMP), kind.lower(), *([label] if label else []), secrets.token_hex(3)]
    return "-".join(parts)


def is_name(text: str) -> bool:
    """Return whether this is the name of a backup, as `new_name` makes them."""
    return _NAME.fullmatch(text) is not None


def candidate_of(name: str) -> Candidate:
    """Return what retention has to know of a backup, from its name alone."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise BackupError(f"{name} is not the name of a backup")
    at = dt.datetime.strptime(match["at"], _STAMP).replace(tzinfo=dt.UTC)
    return Candidate(id=name, kind=match["kind"].upper(), at=at)


class Shelf:
    """The backups of one folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """
        Hold the folder, made when it is missing, against other backups, and clear away what a killed one has left.

        Raises:
            BackupError: another process holds it, or the disk refuses.
        """
        with self.told():
            FILES.make_directory(self.directory)
        try:
            with exclusive(self.directory / _LOCK, timeout=LOCK_SECONDS):
                with self.told():
                    self._sweep()
                yield
        except ConfigurationError as exc:
            if exc.__cause__ is None and str(self.directory / _LOCK) in str(exc):
                raise BackupError(f"another backup is being made or removed in {self.directory}") from exc
            raise

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Tell what the disk refuses in one line."""
        try:
            yield
        except OSError as exc:
            raise BackupError(f"{exc.filename or self.directory}: {exc.strerror}") from exc

    def begin(self, name: str) -> Path:
        """Return a new hidden folder for a backup that is being made."""
        folder = self.directory / f"{_PARTIAL}{name}"
        FILES.make_directory(folder)
        return folder

    def publish(self, partial: Path, manifest: Manifest) -> Path:
        """Write the manifest, sync everything and give the backup its name: from here on it exists."""
        written = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        FILES.write_whole(partial / MANIFEST, written)
        FILES.write_whole(partial / SUMS, sums_of(manifest, written))
        return self._name(partial, manifest.id)

    def adopt(self, partial: Path, name: str) -> Path:
        """
        Give a backup that was copied into a hidden folder its name, once it is proven and synced.

        Raises:
            BackupError: it is damaged.
        """
        check_sums(partial, name=name)
        for file in partial.iterdir():
            file.chmod(_PRIVATE_FILE)
            with file.open("r+b") as opened:
                os.fsync(opened.fileno())
        FILES.sync_directory(partial)
        return self._name(partial, name)

    def abandon(self, partial: Path) -> None:
        """Remove a backup that could not be made."""
        shutil.rmtree(partial, ignore_errors=True)

    def remove(self, folder: Path) -> None:
        """Remove a backup: at once out of the list, then from the disk."""
        leaving = self.directory / f"{_LEAVING}{folder.name}"
        FILES.rename(folder, leaving)
        FILES.sync_directory(self.directory)
        shutil.rmtree(leaving)

    def stored(self) -> list[Stored]:
        """Return the backups, newest first, damaged ones too."""
        if not self.directory.is_dir():
            return []
        with self.told():
            folders = [child for child in self.directory.iterdir() if child.is_dir() and _is_listed(child.name)]
        return [self._look(folder) for folder in sorted(folders, key=lambda folder: folder.name, reverse=True)]

    def find(self, what: str) -> Path:
        """
        Return the folder of a backup, named by its id, "latest" (dump), its folder, or a file in that.

        Raises:
            BackupError: there is none.
        """
        if what == "latest":
            whole = [one.folder for one in self.stored() if one.manifest is not None and one.manifest.physical is None]
            if not whole:
                raise BackupError(f"there is no backup in {self.directory}")
            return whole[0]
        for candidate in (self.directory / what, Path(what).absolute(), Path(what).absolute().parent):
            if (candidate / MANIFEST).is_file():
                return candidate
        raise BackupError(f"there is no backup {what} in {self.directory}: `manage.py backups` lists what there is")

    def mark_verified(self, folder: Path, verification: Verification) -> None:
        """Keep the proof beside the backup."""
        FILES.write_whole(folder / VERIFICATION, msgspec.json.encode(verification))

    def _name(self, partial: Path, name: str) -> Path:
        folder = self.directory / name
        FILES.rename(partial, folder)
        FILES.sync_directory(self.directory)
        return folder

    def _look(self, folder: Path) -> Stored:
        try:
            manifest = read_manifest(folder)
        except BackupError as exc:
            return Stored(folder, None, problem=str(exc))
        return Stored(folder, manifest, _verification(folder, manifest))

    def _sweep(self) -> None:
        for child in self.directory.iterdir():
            if child.name.startswith((_PARTIAL, _LEAVING)):
                shutil.rmtree(child)


def _is_listed(name: str) -> bool:
    """Neither what is being made or removed, nor the WAL that lies beside the copies of backups."""
    return name[0] != "." and name != COPIES


def _verification(folder: Path, manifest: Manifest) -> Verification | None:
    try:
        found = msgspec.json.decode((folder / VERIFICATION).read_bytes(), type=Verification)
    except (OSError, msgspec.MsgspecError):
        return None
    # A proof of another dump proves nothing.
    return found if found.sha256 == manifest.sha256 else None
