"""The segment being written: begun, synced, left, and written again when the disk fails or a call is cut off."""

from __future__ import annotations

import contextlib
import errno
import logging
from pathlib import Path
from uuid import UUID

from friren.persistence.journal.address import Address
from friren.persistence.journal.errors import JournalUnavailableError, SegmentLeftError
from friren.persistence.journal.files import Files
from friren.persistence.journal.home import NO_HANDLE, Home
from friren.persistence.journal.reader import JournalReader, Record
from friren.persistence.journal.segment import SegmentName, frame, seed_of, segment_header
from friren.persistence.journal.shelf import begin_segment
from friren.persistence.journal.synced import Synced

__all__ = ["SegmentWriter"]

log = logging.getLogger(__name__)


class SegmentWriter:
    """
    What a journal has on disk. Every method is called with the lock held that guards the file and the numbers.

    Attributes:
        address: the database the records are for.
        producer: their writer.
        directory: where the segments lie.
    """

    def __init__(self, root: Path, address: Address, producer: UUID, *, segment_bytes: int, files: Files) -> None:
        self.address, self.producer = address, producer
        self._home = Home(root, address, producer, files)
        self.directory = self._home.directory
        self._segment_bytes, self._files, self._close = segment_bytes, files, files.close
        self._seed = seed_of(producer)
        self._reader = JournalReader(self.directory, address, files=files)
        self._handle = NO_HANDLE
        self._segment = SegmentName(0, 0)
        self._size = self._last = 0
        self._synced = Synced()
        # A failed sync is told to one caller only, so no two may sync the same file at a time.
        self._in_flight = False
        # What an exception from outside (Ctrl-C, the handler of a signal) cut off: a record that may be written and is
        # not counted, or a sync whose answer nobody heard.
        self._uncounted = self._sync_lost = False

    def _go_on(self) -> None:
        """
        See how far a call came that was cut off, and begin a new segment; called with the lock held.

        The file says whether its record is there. Raises JournalUnavailableError.
        """
        if self._uncounted:
            try:
                found = self._reader.read_upto(self._last + 1, 1, upto=None, final=False)
            except OSError as exc:
                raise JournalUnavailableError(f"{self.directory}: {exc}") from exc
            self._last += sum(isinstance(item, Record) for item in found)
        if self._sync_lost:
            self._rewrite(InterruptedError(errno.EINTR, "a sync was cut off"))
        elif self._handle != NO_HANDLE:
            self._abandon()
        self._uncounted = False

    def _abandon(self) -> None:
        """Leave the current segment; called with the lock held. What cannot be synced any more, nobody may count on."""
        if self._in_flight:  # whether it can be synced is told to another thread
            self._synced.failed(self._last)
            self._leave()
            return
        with contextlib.suppress(JournalUnavailableError):
            if self._sync_here():
                self._leave()

    def _leave(self) -> None:
        handle, self._handle = self._handle, NO_HANDLE  # a number is forgotten before it is free for another file
        if handle != NO_HANDLE:
            with contextlib.suppress(OSError):
                self._close(handle)

    def _roll(self) -> None:
        """Begin a new segment; called with the lock held."""
        if self._handle != NO_HANDLE and self._last > self._synced.upto and not self._sync_here():
            return
        try:
            handle = self._begin(self._last + 1)
        except OSError as exc:
            if isinstance(exc, SegmentLeftError):
                self._leave()
            if self._handle != NO_HANDLE:
                return  # a segment that grows too large is better than none
            raise JournalUnavailableError(f"{self.directory}: {exc}") from exc
        self._leave()
        self._handle = handle

    def _sync_here(self) -> bool:
        """Sync the current segment, or write it again elsewhere and return False; called with the lock held."""
        try:
            self._files.datasync(self._handle)
        except OSError as exc:
            self._sync_lost = True  # that it failed is told once: it must not be forgotten half way
            self._rewrite(exc)
            return False
        self._synced.succeeded(self._last)
        return True

    def _begin(self, first_seq: int, records: bytes = b"") -> int:
        """Create a segment and make it the current one; return its handle. Errors as of `begin_segment`."""
        try:
            return self._begin_there(first_seq, records)
        except FileNotFoundError:
            if self._last:
                raise
            self._release()  # its folder was taken for a dead process's, before its lock could be seen
            return self._begin_there(first_seq, records)

    def _begin_there(self, first_seq: int, records: bytes) -> int:
        self._home.enter()
        header = segment_header(self.producer, first_seq, self.address)
        handle, self._segment, self._size = begin_segment(self.directory, first_seq, header, records, self._files)
        return handle

    def _rewrite(self, exc: OSError) -> None:
        """
        Write what was not synced into a new segment; called with the lock held.

        After a failed fsync the kernel counts the pages as clean, so a second one on the same file would
        succeed and mean nothing.
        """
        if not isinstance(exc, InterruptedError):  # logging has locks of its own, which a call cut off may hold
            log.critical("the journal's disk failed to sync (%s): writing %s again", exc, self._segment.file_name)
        self._leave()
        try:
            # Whole before it has its name: half a copy must not stand in place of the original.
            # What the segments before this one lost is lost: copied too, it would reach into this one.
            first_seq = max(self._synced.upto + 1, self._segment.first_seq)
            self._handle = self._begin(first_seq, b"".join(self._unsynced_frames(first_seq)))
        except OSError as again:
            self._synced.failed(self._last)
            self._sync_lost = False
            raise JournalUnavailableError(f"{self.directory}: {again}") from again
        self._synced.succeeded(self._last)
        self._sync_lost = False

    def _unsynced_frames(self, first: int) -> list[bytes]:
        """Return all from a record on, in order. Raises OSError when the file does not give all of it back."""
        count = self._last - first + 1
        read = self._reader.read_upto(first, count, upto=self._last, final=False)
        held = {item.seq: frame(item.seq, item.payload, self._seed) for item in read if isinstance(item, Record)}
        held |= self._synced.held
        if len(held) < count:
            # Its copy would stand in place of what may be readable another time.
            raise OSError(errno.EIO, "records that were not synced cannot be read")
        return [held[seq] for seq in sorted(held)]

    def _release(self) -> None:
        self._leave()
        self._home.leave()
