"""
Copies of backups elsewhere: another disk, another machine's share, a bucket.

A copy exists once its SHA256SUMS does, which is written last and removed first. What is copied is read back or
checked by the other side; what is fetched is proven before it is listed here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.utils import timezone

from friren.errors import BackupError, ConfigurationError
from friren.operations.backup import settings
from friren.operations.backup.manifest import MANIFEST, SUMS, VERIFICATION, Manifest
from friren.operations.backup.retention import Policy, plan_retention
from friren.operations.backup.shelf import Shelf, candidate_of, is_name
from friren.persistence.journal.files import FILES

__all__ = ["Copied", "Elsewhere", "Folder", "copy_backups", "fetch_backup", "fetch_into", "places", "prune_copies"]


class Elsewhere(Protocol):
    """A place for copies. Every method raises BackupError when the place refuses."""

    name: str

    def ids(self) -> list[str]:
        """Return the backups that are there whole, sorted."""

    def put(self, folder: Path, names: Iterable[str]) -> None:
        """Copy files of a backup, in this order, each proven to have arrived."""

    def get(self, backup: str, name: str, target: Path) -> None:
        """Fetch one file of a backup."""

    def remove(self, backup: str) -> None:
        """Remove a backup, or what is left of it."""

    def files(self, below: str) -> set[str]:
        """Return the keys (their parts divided by /) of the single files that lie below one."""

    def put_file(self, content: bytes, key: str) -> None:
        """Keep a single file, there whole or not at all."""

    def read_file(self, key: str) -> bytes:
        """Return what is in a single file."""

    def remove_file(self, key: str) -> None:
        """Remove a single file."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied to a place, or why not."""

    place: str
    copied: list[str]
    problem: str = ""


class Folder:
    """Another folder: a disk of its own, or a share that is mounted."""

    def __init__(self, directory: Path) -> None:
        self.name = str(directory)
        self._shelf = Shelf(directory)

    def ids(self) -> list[str]:
        """See `Elsewhere`."""
        whole = (one.folder.name for one in self._shelf.stored() if one.manifest is not None)
        return sorted(name for name in whole if is_name(name))

    def put(self, folder: Path, names: Iterable[str]) -> None:
        """See `Elsewhere`."""
        with self._shelf.locked(), self._shelf.told():
            partial = self._shelf.begin(folder.name)
            for name in names:
                shutil.copyfile(folder / name, partial / name)
            self._shelf.adopt(partial, folder.name)

    def get(self, backup: str, name: str, target: Path) -> None:
        """See `Elsewhere`."""
        with self._shelf.told():
            shutil.copyfile(self._shelf.directory / backup / name, target)

    def remove(self, backup: str) -> None:
        """See `Elsewhere`."""
        with self._shelf.locked(), self._shelf.told():
            self._shelf.remove(self._shelf.directory / backup)

    def files(self, below: str) -> set[str]:
        """See `Elsewhere`."""
        with self._shelf.told():
            found = (self._shelf.directory / below).rglob("[!.]*")
            return {path.relative_to(self._shelf.directory).as_posix() for path in found if path.is_file()}

    def put_file(self, content: bytes, key: str) -> None:
        """See `Elsewhere`."""
        path = self._shelf.directory / key
        with self._shelf.told():
            FILES.make_directory(path.parent)
            # Of a process that was killed, or for which the disk was full.
            for draft in path.parent.glob(f".{path.name}.*"):
                FILES.unlink(draft)
            FILES.write_whole(path, content)

    def read_file(self, key: str) -> bytes:
        """See `Elsewhere`."""
        with self._shelf.told():
            return (self._shelf.directory / key).read_bytes()

    def remove_file(self, key: str) -> None:
        """See `Elsewhere`."""
        with self._shelf.told():
            FILES.unlink(self._shelf.directory / key)


def places() -> list[Elsewhere]:
    """
    Return the places that are configured.

    Raises:
        ConfigurationError: a bucket is, and boto3 is not installed.
    """
    found: list[Elsewhere] = []
    if (directory := settings.external_directory()) is not None:
        found.append(Folder(directory))
    if url := settings.s3_url():
        try:
            from friren.operations.backup.s3 import Bucket
        except ImportError as exc:
            raise ConfigurationError("BACKUP_S3_URL needs the extra friren[s3]: install boto3") from exc
        found.append(Bucket(url))
    return found


def copy_backups(shelf: Shelf) -> list[Copied]:
    """
    Copy what a place does not have yet, newest first; what it refuses is told, and tried again by the next backup.

    Raises:
        ConfigurationError: a place is configured wrongly.
    """
    results = []
    for place in places():
        copied: list[str] = []
        try:
            there = set(place.ids())
            for one in shelf.stored():
                if one.manifest is not None and one.folder.name not in there:
                    with shelf.told():
                        place.put(one.folder, [*_files(one.folder, one.manifest), SUMS])
                    copied.append(one.folder.name)
        except BackupError as exc:
            results.append(Copied(place.name, copied, str(exc)))
        else:
            results.append(Copied(place.name, copied))
    return results


def fetch_backup(shelf: Shelf, what: str) -> Path:
    """
    Return the folder of a backup, fetched from the first place that has it when it is not here.

    Args:
        what: as `Shelf.find` takes it. "latest" is the latest here, and the latest elsewhere when there is none.

    Raises:
        BackupError: no place has it, or what was fetched is damaged.
    """
    try:
        return shelf.find(what)
    except BackupError:
        for place in places():
            ids = place.ids()
            dumps = [one for one in ids if not candidate_of(one).physical]
            name = dumps[-1] if what == "latest" and dumps else what
            if name in ids:
                with shelf.locked():
                    return fetch_into(shelf, place, name)
        raise


def fetch_into(shelf: Shelf, place: Elsewhere, name: str) -> Path:
    """
    Fetch a backup onto a shelf that the caller has locked, and return its folder.

    Raises:
        BackupError: the place refuses, or what was fetched is damaged.
    """
    with shelf.told():
        partial = shelf.begin(name)
        try:
            for file in (SUMS, MANIFEST):
                place.get(name, file, partial / file)
            listed = [Path(line.split()[1]).name for line in (partial / SUMS).read_text().splitlines()]
            for file in (file for file in listed if file != MANIFEST):
                place.get(name, file, partial / file)
            return shelf.adopt(partial, name)
        except BaseException:
            shelf.abandon(partial)
            raise


def prune_copies(shelf: Shelf, policy: Policy) -> list[Copied]:
    """Remove from every place what the rules do not keep there and is not here either; `copied` has the names."""
    here = {one.folder.name for one in shelf.stored()}
    results = []
    for place in places():
        removed: list[str] = []
        try:
            plan = plan_retention((candidate_of(name) for name in place.ids()), now=timezone.now(), policy=policy)
            for name in (name for name in plan.remove if name not in here):
                place.remove(name)
                removed.append(name)
        except BackupError as exc:
            results.append(Copied(place.name, removed, str(exc)))
        else:
            results.append(Copied(place.name, removed))
    return results


def _files(folder: Path, manifest: Manifest) -> list[str]:
    return [manifest.file, *manifest.beside, MANIFEST, *([VERIFICATION] if (folder / VERIFICATION).exists() else [])]
