"""The directories of a journal: making them, and finding what lies on this machine."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from friren.persistence.journal.address import Address
from friren.persistence.journal.errors import SegmentLeftError
from friren.persistence.journal.files import Files
from friren.persistence.journal.reader import JournalReader
from friren.persistence.journal.segment import SegmentName, segment_names

__all__ = ["ADDRESS_FILE", "begin_segment", "journals_of", "journals_under", "make_producer_directory"]

ADDRESS_FILE: Final = "address.json"
# Stands in where the address file of a folder is lost: such a journal is drained only on purpose.
UNKNOWN: Final = Address(host="", port="", name="?")


def journals_of(root: Path, address: Address) -> list[JournalReader]:
    """Return the journals written for the database at `address`, oldest first, whoever wrote them."""
    return _in_folder(root / address.folder, address)


def journals_under(root: Path) -> list[JournalReader]:
    """Return every journal below `root`; the address of a folder that lost its address file is unknown."""
    found: list[JournalReader] = []
    for folder in _directories(root):
        address = UNKNOWN
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            address = msgspec.json.decode((folder / ADDRESS_FILE).read_bytes(), type=Address)
        found += _in_folder(folder, address)
    return found


def make_producer_directory(root: Path, address: Address, producer: UUID, files: Files) -> Path:
    """Make the directory of a new producer, and what is missing above it. Raises OSError."""
    folder = root / address.folder
    for directory in (root, folder, folder / str(producer)):
        files.make_directory(directory)
    if not (folder / ADDRESS_FILE).exists():
        files.write_whole(folder / ADDRESS_FILE, msgspec.json.encode(address) + b"\n")
    # Those above may be another process's, who has not come to sync them yet.
    for directory in (folder, root, root.parent):
        files.sync_directory(directory)
    return folder / str(producer)


def begin_segment(
    directory: Path, first_seq: int, header: bytes, records: bytes, files: Files
) -> tuple[int, SegmentName, int]:
    """
    Create a segment and return its handle, name and size.

    Args:
        records: what it begins with, synced before the segment has its name.

    Raises:
        OSError: it cannot be made; nothing is left behind.
        SegmentLeftError: likewise, but its name may be left.
    """
    # Behind every try at that number that is still there: an earlier one may have been given up already.
    tries = [found.attempt for found in segment_names(directory) if found.first_seq == first_seq]
    name = SegmentName(first_seq, max(tries, default=-1) + 1)
    path = directory / name.file_name
    draft = path.with_name(f".{path.name}")
    handle = _create_anew(draft, files)
    named = False
    try:
        size = files.write_all(handle, header + records)
        if records:
            files.datasync(handle)
        files.rename(draft, path)
        named = True
        files.sync_directory(directory)
    except OSError as exc:
        with contextlib.suppress(OSError):
            files.close(handle)
        if named and not (records or _removed(path, files)):
            raise SegmentLeftError(exc.errno, exc.strerror, str(path)) from exc
        if not named:
            _removed(draft, files)
        raise
    return handle, name, size


def _create_anew(path: Path, files: Files) -> int:
    try:
        return files.create(path)
    except FileExistsError:  # of a try that failed
        files.unlink(path)
        return files.create(path)


def _removed(path: Path, files: Files) -> bool:
    """Remove a file, and return whether it stays removed."""
    try:
        files.unlink(path)
        files.sync_directory(path.parent)
    except OSError:
        return False
    return True


def _in_folder(folder: Path, address: Address) -> list[JournalReader]:
    readers = []
    for directory in _directories(folder):
        with contextlib.suppress(ValueError):
            UUID(directory.name)
            readers.append(JournalReader(directory, address))
    # A UUIDv7 begins with its time.
    return sorted(readers, key=lambda reader: reader.producer)


def _directories(path: Path) -> list[Path]:
    try:
        return [entry for entry in path.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except OSError:
        return []
