"""
A disk that keeps only what it was told to keep: what a power cut leaves of what was not synced.

Kill -9 cannot show a missing fsync, for the system keeps what was written. Here every write, name and removal is noted
beside the real files, with whether it was synced; a power cut makes another folder with what may be left: writes that
were not synced are there whole, torn at a sector or not at all, and names changed in any order.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import random
from pathlib import Path

from friren.persistence.journal.files import Files

__all__ = ["Disk"]

SECTOR = 512


@dataclasses.dataclass(slots=True)
class _Write:
    """Bytes at a place of a file; None: the file was cut there."""

    at: int
    data: bytes | None
    synced: bool = False
    doomed: bool = False  # a sync failed: the system takes it for clean, and no later sync writes it

    def left(self, content: bytearray, chance: random.Random) -> None:
        """Do to `content` what a power cut leaves of it."""
        fate = "whole" if self.synced else chance.choice(("whole", "torn", "none"))
        if self.data is None:
            if fate == "whole":
                del content[self.at :]
            return
        for start, end in _sectors(self.at, self.at + len(self.data)):
            if fate == "whole" or (fate == "torn" and chance.random() < 0.5):
                content.extend(bytes(max(0, end - len(content))))
                content[start:end] = self.data[start - self.at : end - self.at]


@dataclasses.dataclass(slots=True)
class _File:
    writes: list[_Write] = dataclasses.field(default_factory=list)

    def left(self, chance: random.Random) -> bytes:
        """What a power cut leaves of it."""
        content = bytearray()
        for write in self.writes:
            write.left(content, chance)
        if any(not write.synced for write in self.writes) and chance.random() < 0.2:
            content.extend(bytes(chance.randint(1, 2 * SECTOR)))  # its size was kept, and nothing behind
        return bytes(content)


@dataclasses.dataclass(slots=True)
class _Name:
    """A name that was given to something, or (None) taken away."""

    target: _File | _Folder | None
    synced: bool = False


@dataclasses.dataclass(slots=True)
class _Folder:
    names: dict[str, list[_Name]] = dataclasses.field(default_factory=dict)

    def give(self, name: str, target: _File | _Folder | None) -> None:
        self.names.setdefault(name, []).append(_Name(target))

    def sync(self) -> None:
        for changes in self.names.values():
            for change in changes:
                change.synced = True

    def make(self, path: Path, chance: random.Random) -> None:
        """Make what a power cut leaves of it, at `path`."""
        path.mkdir(mode=0o700)
        for name, changes in self.names.items():
            certain = max((place for place, change in enumerate(changes, 1) if change.synced), default=0)
            last = chance.randint(certain, len(changes))
            target = changes[last - 1].target if last else None
            if isinstance(target, _Folder):
                target.make(path / name, chance)
            elif target is not None:
                (path / name).write_bytes(target.left(chance))
                (path / name).chmod(0o600)


class Disk(Files):
    """
    The real files below `root`, and what a power cut would leave of them.

    Attributes:
        refusing: errno by the name of a call, which fails once with it.
        room: bytes that still fit on it; None for any number.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.refusing: dict[str, int] = {}
        self.room: int | None = None
        self._files: dict[int, _File] = {}  # by inode: a handle may be a copy of another
        self._folders: dict[Path, _Folder] = {}
        self._take(root)

    def _take(self, path: Path) -> _Folder:
        """Take what lies on the disk already as synced."""
        folder = self._folders[path] = _Folder()
        for entry in path.iterdir():
            if entry.is_dir():
                folder.give(entry.name, self._take(entry))
            else:
                file = self._files[entry.stat().st_ino] = _File([_Write(0, entry.read_bytes(), synced=True)])
                folder.give(entry.name, file)
        folder.sync()
        return folder

    def after_power_cut(self, target: Path, chance: random.Random) -> None:
        """Make at `target` what a power cut at this moment may leave."""
        self._folders[self.root].make(target, chance)

    def _maybe(self, call: str) -> None:
        code = self.refusing.pop(call, None)
        if code is not None:
            raise OSError(code, os.strerror(code))

    def _file(self, handle: int) -> _File:
        return self._files[os.fstat(handle).st_ino]

    # --- the calls of the journal

    def write(self, handle: int, data: bytes) -> int:
        self._maybe("write")
        if self.room is not None:
            data = data[: self.room]
            self.room -= len(data)
            if not data:
                self.refusing["write"] = 28  # ENOSPC
                self._maybe("write")
        at = os.fstat(handle).st_size
        self._file(handle).writes.append(_Write(at, bytes(data)))
        return os.write(handle, data)

    def truncate(self, handle: int, size: int) -> None:
        self._maybe("truncate")
        os.ftruncate(handle, size)
        self._file(handle).writes.append(_Write(size, None))

    def datasync(self, handle: int) -> None:
        writes = self._file(handle).writes
        try:
            self._maybe("datasync")
        except OSError:
            for write in writes:
                write.doomed = not write.synced
            raise
        for write in writes:
            write.synced = write.synced or not write.doomed

    def create(self, path: Path) -> int:
        self._maybe("create")
        handle = super().create(path)
        self._name(path, handle)
        return handle

    def open_lock(self, path: Path) -> int:
        is_new = not path.exists()
        handle = super().open_lock(path)
        if is_new:
            self._name(path, handle)
        return handle

    def _name(self, path: Path, handle: int) -> None:
        file = self._files[os.fstat(handle).st_ino] = _File()
        self._folders[path.parent].give(path.name, file)

    def make_name(self, path: Path, mode: int) -> None:
        self._maybe("make_name")
        is_new = not path.exists()
        super().make_name(path, mode)
        if is_new:
            made = self._folders[path] = _Folder()
            self._folders[path.parent].give(path.name, made)

    def sync_directory(self, path: Path) -> None:
        self._maybe("sync_directory")
        self._folders[path].sync()

    def unlink(self, path: Path) -> None:
        self._maybe("unlink")
        if path.exists():
            self._folders[path.parent].give(path.name, None)
        super().unlink(path)

    def rename(self, source: Path, target: Path) -> None:
        self._maybe("rename")
        file = self._files[source.stat().st_ino]
        super().rename(source, target)
        self._folders[source.parent].give(source.name, None)
        self._folders[target.parent].give(target.name, file)


def _sectors(start: int, end: int) -> list[tuple[int, int]]:
    """Return the stretches of a range of bytes that lie in one sector each."""
    marks = [start, *range((start // SECTOR + 1) * SECTOR, end, SECTOR), end]
    return list(itertools.pairwise(marks))
