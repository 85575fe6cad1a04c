"""A journal to write to, and a disk that fails on demand."""

from __future__ import annotations

import errno
import os

import pytest

from friren.persistence.journal import Address, Journal
from friren.persistence.journal.files import Files

ADDRESS = Address(host="db.example", port="5432", name="trading")


class FailingFiles(Files):
    """The real disk, but for the calls named in `failing`, which raise that errno."""

    def __init__(self) -> None:
        self.failing: dict[str, int] = {}
        self.syncs = 0
        self.room: int | None = None

    def _maybe(self, call: str) -> None:
        if call in self.failing:
            raise OSError(self.failing[call], os.strerror(self.failing[call]))

    def write(self, handle, data):
        self._maybe("write")
        if self.room is not None:
            # As ext4 and tmpfs do it: a part is taken, the next call is refused.
            if not self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = data[: self.room]
            self.room -= len(data)
        return os.write(handle, data)

    def datasync(self, handle):
        self._maybe("datasync")
        self.syncs += 1
        os.fsync(handle)

    def truncate(self, handle, size):
        self._maybe("truncate")
        os.ftruncate(handle, size)

    def create(self, path):
        self._maybe("create")
        return super().create(path)

    def make_directory(self, path):
        self._maybe("make_directory")
        super().make_directory(path)

    def sync_directory(self, path):
        self._maybe("sync_directory")
        super().sync_directory(path)

    def unlink(self, path):
        self._maybe("unlink")
        super().unlink(path)


@pytest.fixture
def files() -> FailingFiles:
    return FailingFiles()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def journal(root, files):
    made = Journal(root, ADDRESS, segment_bytes=4096, files=files)
    yield made
    files.failing.clear()
    made.close()
