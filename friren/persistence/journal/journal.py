"""The writing side of a journal: one per process, any number of threads."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from uuid import UUID

from friren.core.ids import new_id
from friren.persistence import settings
from friren.persistence.journal import expiry
from friren.persistence.journal.address import Address
from friren.persistence.journal.errors import JournalUnavailableError
from friren.persistence.journal.files import FILES, Files
from friren.persistence.journal.forking import disown_in_children
from friren.persistence.journal.home import NO_HANDLE
from friren.persistence.journal.reader import LOCK, Damage, Record
from friren.persistence.journal.segment import frame
from friren.persistence.journal.writing import SegmentWriter

__all__ = ["Journal"]


class Journal(SegmentWriter):
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
        super().__init__(root, address, self.producer, segment_bytes=segment_bytes, files=files)
        self._write = files.write
        self._lock = threading.Lock()  # the file and the numbers
        self._syncing = threading.Lock()  # taken before _lock: who holds it syncs for all who wait for it
        self._drained = 0
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
            if self._uncounted or self._sync_lost:
                self._go_on()
            try:
                seq = self._last + 1
                data = frame(seq, payload, self._seed)
                if self._handle == NO_HANDLE or (self._size + len(data) > self._segment_bytes and not self._in_flight):
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
            except JournalUnavailableError:
                raise
            except BaseException:
                self._uncounted = True
                raise
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
            problem = self._try_write(data, 0) if self._handle != NO_HANDLE else problem
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

    def _commit(self, seq: int) -> None:
        """Return once the record `seq` is synced, by this thread or by the one that was before it."""
        with self._syncing:
            if self._synced.covers(seq):
                return
            try:
                self._commit_all(seq)
            except JournalUnavailableError:
                raise
            except BaseException:
                with self._lock:
                    self._sync_lost, self._in_flight = True, False
                raise

    def _commit_all(self, seq: int) -> None:
        """Sync what has been appended so far; called by the one who syncs for all."""
        with self._lock:
            if self._uncounted or self._sync_lost:
                self._go_on()
                if self._synced.covers(seq):
                    return
            if self._handle == NO_HANDLE or self._synced.has_failed(seq):
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
            if self._handle != NO_HANDLE and self._size > self._segment_bytes:
                with contextlib.suppress(JournalUnavailableError):  # the next record will hear of it
                    self._roll()

    def disown(self) -> None:
        """In a forked child: leave the files to the parent, whose locks may have been held when it forked."""
        self._lock, self._syncing = threading.Lock(), threading.Lock()
        if not self._refusal:
            self._refusal = "this journal belongs to the parent process"
            # Also of the lock file: the child must not keep a dead parent's lock.
            self._release()
