"""
Copies of archived WAL elsewhere: on another disk, on a share, in a bucket.

A file carries its own proof in its name, so one that is there needs no comparison, and what a process that was killed
has left to do is what is not there. Restores read a copy where the archive has no such file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from friren.archive_wal import segment_number
from friren.errors import BackupError, ConfigurationError
from friren.operations.backup import settings
from friren.operations.backup.chains import needed_from
from friren.operations.backup.manifest import MANIFEST, SUMS, Physical, read_manifest
from friren.operations.backup.offsite import Copied, Elsewhere, places
from friren.operations.backup.shelf import candidate_of
from friren.operations.backup.wal import COPIES, Archive, Kept, is_history

__all__ = ["copy_wal", "prune_wal_copies"]

# Of a name: timeline, then log and segment. By these WAL was written; of one address the older timeline first.
_ADDRESS: Final = slice(8, 24)


def copy_wal() -> list[Copied]:
    """
    Copy the archived WAL that a place does not have yet, oldest first; what it refuses is told, and tried again by
    the next run.

    Raises:
        BackupError: BACKUP_WAL_DIR cannot be read, or has what is no archived WAL.
        ConfigurationError: no place is configured, or one wrongly.
    """
    elsewhere = places()
    if not elsewhere:
        raise ConfigurationError(
            "there is no place to copy WAL to: set BACKUP_EXTERNAL_DIR (another disk) or BACKUP_S3_URL (a bucket)"
        )
    directory = settings.wal_directory()
    every = {_key(directory, one.path): one for archive in _archives(directory) for one in _in_order(archive)}
    results = []
    for place in elsewhere:
        copied: list[str] = []
        problem = ""
        try:
            there = place.files(COPIES)
            for key, one in every.items():
                if key not in there:
                    # Proven before: damage here is not to become damage there.
                    place.put_file(one.stored(), key)
                    copied.append(one.name)
        except BackupError as exc:
            problem = str(exc)
        results.append(Copied(place.name, copied, problem))
    return results


def prune_wal_copies(here: Iterable[Physical]) -> list[Copied]:
    """
    Remove from every place the copies before the oldest backup of each server that is there or here.

    Args:
        here: the backups of whole servers that stay here.
    """
    ours = list(here)
    results = []
    for place in places():
        removed: list[str] = []
        problem = ""
        try:
            needed = needed_from([*ours, *_physical_in(place)])
            for key in sorted(place.files(COPIES)):
                _, system, *_, file = key.split("/")
                oldest, size = needed.get(system, (0, 0))
                if size and not is_history(file) and segment_number(file, size) < oldest:
                    place.remove_file(key)
                    removed.append(file.partition("-")[0])
        except BackupError as exc:
            problem = str(exc)
        results.append(Copied(place.name, removed, problem))
    return results


def _archives(directory: Path) -> list[Archive]:
    try:
        systems = sorted(child.name for child in directory.iterdir()) if directory.is_dir() else []
    except OSError as exc:
        raise BackupError(f"{exc.filename}: {exc.strerror}") from exc
    return [Archive(directory, system) for system in systems if system.isdecimal()]


def _in_order(archive: Archive) -> list[Kept]:
    """Return it as it was written, histories first: what is copied has no gap, wherever a run ends."""
    return sorted(archive.kept().values(), key=lambda one: (not is_history(one.name), one.name[_ADDRESS], one.name))


def _key(directory: Path, path: Path) -> str:
    return f"{COPIES}/{path.relative_to(directory).as_posix()}"


def _physical_in(place: Elsewhere) -> Iterable[Physical]:
    """Read of the backups of whole servers in a place what WAL they need."""
    for name in place.ids():
        if candidate_of(name).physical:
            with tempfile.TemporaryDirectory(prefix="friren-") as scratch:
                for file in (SUMS, MANIFEST):
                    place.get(name, file, Path(scratch) / file)
                physical = read_manifest(Path(scratch), name=name).physical
            if physical is not None:
                yield physical
