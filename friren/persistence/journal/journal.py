"""The writing side of a journal: one per process, any number of threads."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
from pathlib import Path
from typing import Final
from uuid import UUID

from friren.core.ids import new_id
from friren.persistence import settings
from friren.persistence.journal import expiry, locking
from friren.persistence.journal.address import Address
from friren.persistence.journal.errors import JournalUnavailableError, SegmentLeftError
from friren.persistence.journal.files import FILES, Files
from friren.persistence.journal.forking import disown_in_children
from friren.persistence.journal.reader import LOCK, Damage, JournalReader, Record
from friren.persistence.journal.segment import SegmentName, frame, seed_of, segment_header
from friren.persistence.journal.shelf import begin_segment, make_producer_directory
from friren.persistence.journal.synced import Synced

__all__ = ["Journal"]

log = logging.getLogger(__name__)

_NONE: Final = -1


class Journal:
    """
    The records of this process, on disk until PostgreSQL has them.

    Nothing is made on disk before the first record. After a fork the child's copy refuses to append: the
    child makes a journal of its own.

    Args:
        root: FRIREN_HOME/journal.
        address: the database these records are for.
        producer: UUID of this writer; a new one unless given. No two journals have the same.
        segment_bytes: a segment that has grown to this is followed by a new one.

    Attributes:
        producer: `JournalCursor.producer`.
        address: as given.
        directory: where the segments lie.
    """

    def __init__(
        self,
        root: Path,
        address: Address,
        *,
        producer: UUID | None = None,
        segment_bytes: int = settings.JOURNAL_SEGMENT_BYTES,
        files: Files = FILES,
    ) -> None:
        self.producer, self.address = producer or new_id(), address
        self.directory = root / address.folder / str(self.producer)
        self._root, self._segment_bytes, self._files = root, segment_bytes, files
        self._seed = seed_of(self.producer)
        self._reader = JournalReader(self.directory, address, files=files)
        self._write, self._close = files.write, files.close
        self._lock = threading.Lock()  # the file and the numbers
        self._syncing = threading.Lock()  # taken before _lock: who holds it syncs for all who wait for it
        self._handle = self._lock_handle = _NONE
        self._segment = SegmentName(0, 0)
        self._size = 0
        self._last = self._drained = 0
        self._synced = Synced()
        # A failed sync is told to one caller only, so no two may sync the same file at a time.
        self._in_flight = False
        self._refusal = ""
        disown_in_children(self)

    @property
    def last_seq(self) -> int:
        """The number of the last record that was accepted; 0 before the first."""
        return self._last

    def append(self, payload: bytes, *, sync: bool) -> int:
        """
        Add a record and return its number, once it survives `kill -9` (and, with `sync`, a power cut).

        Callers with `sync` share one fdatasync among all who wait for one.

        Raises:
            JournalUnavailableError: the disk refuses, or this journal was closed or belongs to a parent process.
        """
        with self._lock:
            if self._refusal:
                raise JournalUnavailableError(self._refusal)
            seq = self._last + 1
            data = frame(seq, payload, self._seed)
            if self._handle == _NONE or (self._size + len(data) > self._segment_bytes and not self._in_flight):
                self._roll()
            try:
                written: int | OSError = self._write(self._handle, data)
            except OSError as exc:
                written = exc
            if written == len(data):
                self._size += written
            else:
                self._write_again(data, written)
            self._last = seq
            if sync:
                self._synced.hold(seq, data)
        if sync:
            self._commit(seq)
        return seq

    def sync(self) -> None:
        """Make every record so far survive a power cut. Raises JournalUnavailableError."""
        if self._last > self._synced.upto:
            self._commit(self._last)

    def read(self, from_seq: int, limit: int) -> list[Record | Damage]:
        """Return up to `limit` records from number `from_seq` on, in order; what is unreadable is named as Damage."""
        # Taken before the files are looked at: up to here they are whole, behind it they may be growing.
        upto = self._last
        if from_seq > upto:
            return []
        found = self._reader.read_upto(from_seq, limit, upto=upto, final=False, size=settings.DRAIN_BATCH_BYTES)
        return [item for item in found if item.seq <= upto]

    def drained(self, seq: int) -> None:
        """Say that every record up to `seq` is in PostgreSQL: segments that hold no other go when their time comes."""
        self._drained = max(self._drained, seq)
        expiry.expire(self.directory, self._drained, files=self._files)

    def close(self) -> None:
        """Sync, and give the lock back. What is not drained stays for the next process. Safe to call twice."""
        if self._refusal:
            return
        with contextlib.suppress(JournalUnavailableError):
            self.sync()
        with self._syncing, self._lock:
            self._refusal = self._refusal or "this journal is closed"
            self._release()
        expiry.remove_if_empty(self.directory, lock=LOCK)

    def _write_again(self, data: bytes, written: int | OSError) -> None:
        """Finish or repeat a write that was cut short or refused: all of it or nothing; called with the lock held."""
        problem = written if isinstance(written, OSError) else self._try_write(data, written)
        if problem is not None and expiry.expire(self.directory, self._drained, files=self._files, at_once=True):
            # Drained segments gave their room.
            problem = self._try_write(data, 0) if self._handle != _NONE else problem
        if problem is not None:
            raise JournalUnavailableError(f"{self.directory}: {problem}") from problem

    def _try_write(self, data: bytes, written: int) -> OSError | None:
        try:
            self._files.write_all(self._handle, data[written:])
        except OSError as exc:
            try:
                # Take half a record back; where that fails too, the segment ends here.
                self._files.truncate(self._handle, self._size)
            except OSError:
                self._abandon()
            return exc
        self._size += len(data)
        return None

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
        if self._handle != _NONE:
            with contextlib.suppress(OSError):
                self._close(self._handle)
        self._handle = _NONE

    def _roll(self) -> None:
        """Begin a new segment; called with the lock held."""
        if self._handle != _NONE and self._last > self._synced.upto and not self._sync_here():
            return
        try:
            handle = self._begin(self._last + 1)
        except OSError as exc:
            if isinstance(exc, SegmentLeftError):
                self._leave()
            if self._handle != _NONE:
                return  # a segment that grows too large is better than none
            raise JournalUnavailableError(f"{self.directory}: {exc}") from exc
        self._leave()
        self._handle = handle

    def _sync_here(self) -> bool:
        """Sync the current segment, or write it again elsewhere and return False; called with the lock held."""
        try:
            self._files.datasync(self._handle)
        except OSError as exc:
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
        if self._lock_handle == _NONE:
            make_producer_directory(self._root, self.address, self.producer, self._files)
            with contextlib.suppress(OSError):  # a file system without locks is one all the same
                lock = locking.hold(self.directory / LOCK, self._files, patience=settings.LOCK_PATIENCE_SECONDS)
                self._lock_handle = _NONE if lock is None else lock
        header = segment_header(self.producer, first_seq, self.address)
        handle, self._segment, self._size = begin_segment(self.directory, first_seq, header, records, self._files)
        return handle

    def _commit(self, seq: int) -> None:
        """Return once the record `seq` is synced, by this thread or by the one that was before it."""
        with self._syncing:
            if self._synced.covers(seq):
                return
            with self._lock:
                if self._handle == _NONE or self._synced.has_failed(seq):
                    raise JournalUnavailableError(self._refusal or f"{self.directory}: the disk failed to sync")
                target = self._last
                try:
                    # A copy, because another thread may have to leave the segment meanwhile.
                    handle = os.dup(self._handle)
                except OSError:  # too many open files: the others wait for this one then
                    self._sync_here()
                    return
                self._in_flight = True
            failure = self._files.sync_and_close(handle)
            with self._lock:
                self._in_flight = False
                if failure is not None:
                    self._rewrite(failure)
                    if self._synced.has_failed(seq):  # its segment was left while it was being synced
                        raise JournalUnavailableError(f"{self.directory}: {failure}") from failure
                    return
                self._synced.succeeded(target)
                if self._handle != _NONE and self._size > self._segment_bytes:
                    with contextlib.suppress(JournalUnavailableError):  # the next record will hear of it
                        self._roll()

    def _rewrite(self, exc: OSError) -> None:
        """
        Write what was not synced into a new segment; called with the lock held.

        After a failed fsync the kernel counts the pages as clean, so a second one on the same file would
        succeed and mean nothing.
        """
        log.critical("the journal's disk failed to sync (%s): writing %s again", exc, self._segment.file_name)
        self._leave()
        try:
            # Whole before it has its name: half a copy must not stand in place of the original.
            # What the segments before this one lost is lost: copied too, it would reach into this one.
            first_seq = max(self._synced.upto + 1, self._segment.first_seq)
            self._handle = self._begin(first_seq, b"".join(self._unsynced_frames(first_seq)))
        except OSError as again:
            self._synced.failed(self._last)
            raise JournalUnavailableError(f"{self.directory}: {again}") from again
        self._synced.succeeded(self._last)

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
        for handle in (self._handle, self._lock_handle):
            if handle != _NONE:
                with contextlib.suppress(OSError):
                    self._close(handle)
        self._handle = self._lock_handle = _NONE

    def disown(self) -> None:
        """In a forked child: leave the files to the parent, whose locks may have been held when it forked."""
        self._lock, self._syncing = threading.Lock(), threading.Lock()
        if not self._refusal:
            self._refusal = "this journal belongs to the parent process"
            # Also of the lock file: the child must not keep a dead parent's lock.
            self._release()
