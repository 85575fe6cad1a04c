"""The calls by which a journal touches the disk, in one place, so that tests can let each of them fail."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

__all__ = ["FILES", "Files"]

# Absent on Windows, where the text mode must be switched off instead.
_ALWAYS: Final[int] = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_PRIVATE_FILE: Final = 0o600
_PRIVATE_DIRECTORY: Final = 0o700


class Files:
    """The real disk. Every method raises OSError when it refuses."""

    write = staticmethod(os.write)
    datasync = staticmethod(getattr(os, "fdatasync", os.fsync))  # macOS and Windows have only fsync
    truncate = staticmethod(os.ftruncate)
    close = staticmethod(os.close)

    def sync_and_close(self, handle: int) -> OSError | None:
        """Sync a file by a handle that nobody needs afterwards; return what the disk said when it refused."""
        try:
            self.datasync(handle)
        except OSError as exc:
            return exc
        finally:
            os.close(handle)
        return None

    def write_all(self, handle: int, data: bytes) -> int:
        """Write, in one call unless the system splits it; a full disk takes a part and refuses the next call."""
        written = self.write(handle, data)
        while written < len(data):
            more = self.write(handle, data[written:])
            if not more:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written += more
        return written

    def create(self, path: Path) -> int:
        """Create a file that must not exist yet, 0600, for appending."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | _ALWAYS, _PRIVATE_FILE)

    def open_to_append(self, path: Path) -> int:
        """Open a file for appending, created 0600 when missing."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _ALWAYS, _PRIVATE_FILE)

    def open_lock(self, path: Path) -> int:
        """Open a lock file, created when missing."""
        return os.open(path, os.O_RDWR | os.O_CREAT | _ALWAYS, _PRIVATE_FILE)

    def open_to_read(self, path: Path) -> int:
        """Open a file for reading; a symbolic link is refused."""
        return os.open(path, os.O_RDONLY | _ALWAYS)

    def make_directory(self, path: Path) -> None:
        """
        Make a directory that only its owner may enter; refuse one that is a symbolic link.

        Parents that are missing are made too, and their names synced; that of `path` itself is the caller's to sync.
        """
        for folder in reversed([parent for parent in path.parents if not parent.exists()]):
            self.make_name(folder, 0o777)
            self.sync_directory(folder.parent)
        self.make_name(path, _PRIVATE_DIRECTORY)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(f"{path} is not a directory of its own")
        if hasattr(os, "getuid") and found.st_mode & 0o077:
            path.chmod(_PRIVATE_DIRECTORY)

    def make_name(self, path: Path, mode: int) -> None:
        """Make one directory, unless it is there."""
        path.mkdir(mode=mode, exist_ok=True)

    def sync_directory(self, path: Path) -> None:
        """Make created, renamed and removed names in `path` survive a power cut; Windows does so by itself."""
        if not hasattr(os, "O_DIRECTORY"):
            return
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _ALWAYS)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def unlink(self, path: Path) -> None:
        """Remove a file; one that is gone already is no error."""
        path.unlink(missing_ok=True)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, in place of what has it."""
        source.replace(target)

    def write_whole(self, path: Path, content: bytes) -> None:
        """Write a small file, whole or not at all."""
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        self.unlink(draft)
        handle = self.create(draft)
        try:
            self.write_all(handle, content)
            self.datasync(handle)
        finally:
            self.close(handle)
        self.rename(draft, path)
        self.sync_directory(path.parent)


FILES: Final = Files()
