"""
The bytes of a segment file.

    header   magic, format version, producer, first number, address; CRC-32 of all that
    record   marker, length, number; CRC-32 of those three; CRC-32 of the payload; payload

Both sums of a record start from the producer's, so bytes of another file that turn up in this one
after a power cut are no records. The marker holds a byte that UTF-8 never has, so no JSON contains it,
and the reader finds the next record behind bytes that are damaged.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID
from zlib import crc32

from friren.persistence.journal.address import Address

__all__ = [
    "RECORD_HEAD_SIZE",
    "FoundRecord",
    "SegmentName",
    "frame",
    "header_size",
    "seed_of",
    "segment_header",
    "segment_names",
    "unpack_head",
]

FORMAT_VERSION: Final = 1
MAGIC: Final = b"\xf5friren\n"
MARKER: Final = b"\xf5rec"

_HEADER: Final = struct.Struct("<8sH16sQH")
_SUM: Final = struct.Struct("<I")
_HEAD: Final = struct.Struct("<4sIQ")
_SUMS: Final = struct.Struct("<II")
_WHOLE_HEAD: Final = struct.Struct("<4sIQII")
RECORD_HEAD_SIZE: Final = _WHOLE_HEAD.size
_NAME: Final = re.compile(r"([0-9]{20})(?:-([0-9]{1,9}))?\.seg")


class SegmentName(NamedTuple):
    """
    A segment file: the number of its first record, and which try at that number it is.

    Where two segments overlap, the later one counts: it was written because the earlier one failed.
    """

    first_seq: int
    attempt: int

    @property
    def file_name(self) -> str:
        """The name of the file."""
        return f"{self.first_seq:020d}{f'-{self.attempt}' if self.attempt else ''}.seg"


class FoundRecord(NamedTuple):
    """A record's head that is as it was written: number, length and sums."""

    seq: int
    length: int
    head_sum: int
    payload_sum: int


def segment_names(directory: Path) -> list[SegmentName]:
    """Return the segments in a directory in order; what has another name is left alone."""
    try:
        names = [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return []
    found = (_NAME.fullmatch(name) for name in names)
    return sorted(SegmentName(int(match[1]), int(match[2] or 0)) for match in found if match)


def seed_of(producer: UUID) -> int:
    """Return what the sums of a producer's records start from."""
    return crc32(producer.bytes)


def segment_header(producer: UUID, first_seq: int, address: Address) -> bytes:
    """Return the first bytes of a segment."""
    where = str(address).encode("utf-8", "backslashreplace")[:1000]
    start = _HEADER.pack(MAGIC, FORMAT_VERSION, producer.bytes, first_seq, len(where)) + where
    return start + _SUM.pack(crc32(start))


def header_size(start: bytes) -> int:
    """
    Return how many bytes the header takes; 0 when it is damaged, and the first record is to be searched for.

    A header whose writer did not finish it takes all there is: nothing was written behind it.
    """
    if len(start) < _HEADER.size:
        return len(start) if MAGIC.startswith(start[: len(MAGIC)]) else 0
    magic, version, _producer, _first, length = _HEADER.unpack_from(start)
    end = _HEADER.size + length
    if magic != MAGIC or version != FORMAT_VERSION:
        return 0
    if len(start) < end + _SUM.size:
        # Records behind it say that it was finished, and its length is what is damaged.
        return 0 if MARKER in start else len(start)
    return end + _SUM.size if _SUM.unpack_from(start, end)[0] == crc32(start[:end]) else 0


def frame(seq: int, payload: bytes, seed: int) -> bytes:
    """Return the bytes of one record."""
    head = _HEAD.pack(MARKER, len(payload), seq)
    head_sum = crc32(head, seed)
    return head + _SUMS.pack(head_sum, crc32(payload, head_sum)) + payload


def unpack_head(data: bytes, at: int, seed: int) -> FoundRecord | None:
    """Return the head of the record that begins at `at`, None when it is none."""
    marker, length, seq, head_sum, payload_sum = _WHOLE_HEAD.unpack_from(data, at)
    if marker != MARKER or crc32(data[at : at + _HEAD.size], seed) != head_sum:
        return None
    return FoundRecord(seq, length, head_sum, payload_sum)
