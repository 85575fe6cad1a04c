"""Walking through the records of one segment, over whatever is damaged."""

from __future__ import annotations

import os
from typing import Final
from zlib import crc32

from friren.persistence.journal.segment import MARKER, RECORD_HEAD_SIZE, header_size, unpack_head

__all__ = ["Scan"]

# Read at a time: a batch of trades, and a fraction of what a client may use of memory.
_CHUNK: Final = 4 * 1024 * 1024
# Bytes of a damaged stretch that are kept for people to look at.
_JUNK_MAX: Final = 1024 * 1024


class Scan:
    """
    A walk through a segment.

    Attributes:
        offset: in the file, where the next record is looked for.
        junk: bytes that are no record, met since the last record (the first of them, when they are many).
        lost_to: the highest number of a record whose head is whole and whose payload is not.
        resumed: whether it began behind a record that was read before.
        torn: whether nothing but an unfinished record follows the last head that is whole.
    """

    def __init__(self, handle: int, *, seed: int, offset: int = 0) -> None:
        self._handle, self._seed = handle, seed
        self._data, self._start = b"", 0
        self.offset, self.junk, self.lost_to, self.torn = offset, b"", 0, True
        self.resumed = offset > 0
        if not self.resumed:
            self._load(0, _CHUNK)
            self.offset = header_size(self._data)

    def next(self, *, payload: bool = True) -> tuple[int, bytes] | None:
        """
        Return number and payload of the next record, None at the end.

        Args:
            payload: False leaves it unread (and unchecked): b"" stands for it.
        """
        self.junk, self.lost_to, self.torn = b"", 0, True
        while self._have(RECORD_HEAD_SIZE):
            at = self.offset - self._start
            head = unpack_head(self._data, at, self._seed)
            if head is None:
                self._skip_to_marker()
                continue
            size = RECORD_HEAD_SIZE + head.length
            if not payload and not self._ends_before(self.offset + size):
                self.offset += size
                return head.seq, b""
            if not self._have(size):
                break  # its writer did not finish it
            at = self.offset - self._start
            content = self._data[at + RECORD_HEAD_SIZE : at + size]
            self.offset += size
            if not payload or crc32(content, head.head_sum) == head.payload_sum:
                return head.seq, content if payload else b""
            self.lost_to, self.torn = head.seq, True
            self._keep_junk(content)
        return None

    def _have(self, size: int) -> bool:
        """Return whether `size` bytes from the offset on are in memory, reading them if the file has them."""
        if self._start + len(self._data) < self.offset + size or self.offset < self._start:
            self._load(self.offset, max(size, _CHUNK))
        return self._start + len(self._data) >= self.offset + size

    def _ends_before(self, end: int) -> bool:
        return os.fstat(self._handle).st_size < end if end > self._start + len(self._data) else False

    def _load(self, start: int, size: int) -> None:
        os.lseek(self._handle, start, os.SEEK_SET)
        parts, left = [], size
        while left > 0 and (part := os.read(self._handle, left)):
            parts.append(part)
            left -= len(part)
        self._data, self._start = b"".join(parts), start

    def _skip_to_marker(self) -> None:
        at = self.offset - self._start
        found = self._data.find(MARKER, at + 1)
        # A marker may begin in the last bytes of what is in memory.
        end = found if found >= 0 else max(len(self._data) - len(MARKER) + 1, at + 1)
        skipped = self._data[at:end]
        self._keep_junk(skipped)
        # Zeros are what a power cut leaves behind the last write, and never were a record.
        self.torn = self.torn and not skipped.strip(b"\0")
        self.offset = self._start + end

    def _keep_junk(self, data: bytes) -> None:
        self.junk = (self.junk + data)[:_JUNK_MAX]
