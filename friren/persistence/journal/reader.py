"""The reading side of a journal, its writer alive or dead."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from friren.persistence import settings
from friren.persistence.journal import expiry, locking
from friren.persistence.journal.address import Address
from friren.persistence.journal.files import FILES, Files
from friren.persistence.journal.scan import Scan
from friren.persistence.journal.segment import SegmentName, seed_of, segment_names

__all__ = ["DAMAGED", "LOCK", "Damage", "JournalReader", "Record"]

LOCK: Final = "lock"
DAMAGED: Final = "damaged"


class Record(NamedTuple):
    """One record: its number and what was appended."""

    seq: int
    payload: bytes


class Damage(NamedTuple):
    """Records `seq` to `last_seq` are unreadable; `payload` is what is left of their bytes, up to a bound."""

    seq: int
    last_seq: int
    payload: bytes


class _Place(NamedTuple):
    """A place between two records of a segment, and the number of one of them."""

    segment: SegmentName
    offset: int
    seq: int


# How far each journal was walked through to find its end: drained ones are looked at for as long as they are kept.
_ends: dict[Path, _Place] = {}


class _Rest(NamedTuple):
    """How the last segment ended: what is no record there, and the number of the last record there was."""

    junk: bytes
    end: int


class JournalReader:
    """
    Reads the journal of one producer. Any number of readers may; a thread at a time uses one.

    Every number from 1 to `last_seq` is answered for: by a record, or by the damage in its place.

    Args:
        directory: root/<address>/<producer>.
        address: the database it was written for.

    Attributes:
        producer: whose journal it is.
    """

    def __init__(self, directory: Path, address: Address, *, files: Files = FILES) -> None:
        self.directory, self.address = directory, address
        self.producer = UUID(directory.name)
        self._seed = seed_of(self.producer)
        self._files = files
        self._lock = threading.Lock()
        self._place: _Place | None = None
        self._size: int | None = None  # what may still be read this time
        self._rest = _Rest(b"", 0)

    def __repr__(self) -> str:
        return f"JournalReader({self.producer})"

    @property
    def alive(self) -> bool:
        """Whether its writer holds the lock. A forked child of a dead writer may, so this only saves work."""
        return locking.is_held(self.directory / LOCK)

    @property
    def last_seq(self) -> int:
        """The number of the last record that is there; 0 when there is none."""
        with self._lock:
            return self._last_seq(final=not self.alive)

    def read(self, from_seq: int, limit: int) -> list[Record | Damage]:
        """
        Return up to `limit` records from number `from_seq` on, in order; fewer when they are large.

        What is unreadable is named in its place, and a copy of its bytes is put into `damaged/`. The unfinished
        record at the end of a living writer's journal is not there yet; of a dead one's, it never was.
        A file that cannot be opened is damage too.
        """
        size = settings.DRAIN_BATCH_BYTES
        return self.read_upto(from_seq, limit, upto=None, final=not self.alive, size=size)

    def read_upto(
        self, from_seq: int, limit: int, *, upto: int | None, final: bool, size: int | None = None
    ) -> list[Record | Damage]:
        """
        Read as `read` does, with what the caller knows.

        Args:
            upto: records up to this number were written whole, so what of them is missing is damage.
            final: nothing will be written any more.
            size: bytes after which no further record is read.
        """
        with self._lock:
            self._size = size
            found = self._read(from_seq, limit, upto=upto, final=final)
        for item in found:
            if isinstance(item, Damage) and item.payload:
                self._set_aside(item)
        return found

    def drained(self, seq: int) -> None:
        """Say that every record up to `seq` is in PostgreSQL: segments that hold no other go when their time comes."""
        last_seq = None if self.alive else self.last_seq
        expiry.expire(self.directory, seq, files=self._files, last_seq=last_seq)
        if last_seq is not None:
            expiry.remove_if_empty(self.directory, lock=LOCK)

    def _read(self, from_seq: int, limit: int, *, upto: int | None, final: bool) -> list[Record | Damage]:
        segments = segment_names(self.directory)
        self._rest = _Rest(b"", 0)
        out: list[Record | Damage] = []
        expected = from_seq
        for segment, following in zip(segments, [*segments, None][1:], strict=True):
            if following is not None and following.first_seq <= expected:
                continue
            last = following.first_seq - 1 if following is not None else None
            expected = self._read_segment(segment, expected, limit, out, last=last)
            if len(out) >= limit or (self._size is not None and self._size <= 0):
                return out[:limit]
            if last is None:
                break
        if upto is not None and expected <= upto:
            out.append(Damage(expected, upto, self._rest.junk))
        elif final and expected <= self._rest.end:
            out.append(Damage(expected, self._rest.end, self._rest.junk))
        return out[:limit]

    def _read_segment(
        self, segment: SegmentName, expected: int, limit: int, out: list[Record | Damage], *, last: int | None
    ) -> int:
        """Add what the segment holds from number `expected` on; return the number expected after it."""
        self._rest = _Rest(b"", 0)
        try:
            handle = self._files.open_to_read(self.directory / segment.file_name)
        except OSError:
            # Its numbers are accounted for below, as damage, unless it is the one being written.
            return self._missing(expected, b"", out, last=last)
        try:
            scan = Scan(handle, seed=self._seed, offset=self._offset_of(segment, expected))
            highest = expected - 1 if scan.resumed else segment.first_seq - 1
            while len(out) < limit:
                found = scan.next()
                if found is None:
                    self._rest = _Rest(scan.junk, max(highest, scan.lost_to) + (not scan.torn))
                    return self._missing(expected, scan.junk, out, last=last)
                seq, payload = found
                if last is not None and seq > last:
                    return self._missing(expected, scan.junk, out, last=last)
                highest = seq
                if seq < expected:
                    continue
                if seq > expected:
                    out.append(Damage(expected, seq - 1, scan.junk))
                out.append(Record(seq, payload))
                expected = seq + 1
                self._place = _Place(segment, scan.offset, expected)
                if self._size is not None:
                    self._size -= len(payload)
                    if self._size <= 0:
                        break
            return expected
        finally:
            self._files.close(handle)

    def _offset_of(self, segment: SegmentName, seq: int) -> int:
        place = self._place
        return place.offset if place is not None and place.segment == segment and place.seq == seq else 0

    @staticmethod
    def _missing(expected: int, junk: bytes, out: list[Record | Damage], *, last: int | None) -> int:
        if last is None or expected > last:
            return expected
        out.append(Damage(expected, last, junk))
        return last + 1

    def _last_seq(self, *, final: bool) -> int:
        segments = segment_names(self.directory)
        if not segments:
            return 0
        segment, offset, highest = segments[-1], 0, segments[-1].first_seq - 1
        end = _ends.get(self.directory)
        if end is not None and end.segment == segment:
            offset, highest = end.offset, end.seq
        try:
            handle = self._files.open_to_read(self.directory / segment.file_name)
        except OSError:
            return highest
        try:
            scan = Scan(handle, seed=self._seed, offset=offset)
            while (found := scan.next(payload=False)) is not None:
                highest = max(highest, found[0])
                _ends[self.directory] = _Place(segment, scan.offset, highest)
            return highest + 1 if final and not scan.torn else highest
        finally:
            self._files.close(handle)

    def _set_aside(self, damage: Damage) -> None:
        # The dead letter holds these bytes too; a disk that is full keeps nothing from being drained.
        folder = self.directory / DAMAGED
        with contextlib.suppress(OSError):
            self._files.make_directory(folder)
            path = folder / f"{damage.seq}-{damage.last_seq}.bin"
            if not path.exists():
                self._files.write_whole(path, damage.payload)
