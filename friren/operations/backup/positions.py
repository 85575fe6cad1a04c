"""Where something lies in the WAL: addresses ("0/2000028"), the names of segments, timelines and their forks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from friren.errors import BackupError

__all__ = ["Leg", "legs_of", "lsn_of", "lsn_text", "parents_of", "segment_name"]

_LSN: Final = re.compile(r"([0-9A-F]{1,8})/([0-9A-F]{1,8})")
_LOG_BYTES: Final = 1 << 32


def lsn_of(text: str) -> int:
    """Return an address as a number. Raises BackupError: it is none."""
    match = _LSN.fullmatch(text.strip())
    if match is None:
        raise BackupError(f"{text!r} is no address in the WAL")
    return int(match[1], 16) << 32 | int(match[2], 16)


def lsn_text(lsn: int) -> str:
    """Return an address as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def segment_name(timeline: int, number: int, segment_bytes: int) -> str:
    """Return the name of a segment by its number."""
    log, rest = divmod(number, _LOG_BYTES // segment_bytes)
    return f"{timeline:08X}{log:08X}{rest:08X}"


@dataclass(frozen=True, slots=True)
class Leg:
    """A timeline, from the address at which it forked from the one before, on the way to a target."""

    timeline: int
    begins: int


def parents_of(history: bytes) -> list[tuple[int, int]]:
    """Return from a timeline's history its ancestors, oldest first, each with the address at which it was left."""
    found = []
    for line in history.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) >= 2 and words[0].isdecimal():
            found.append((int(words[0]), lsn_of(words[1])))
    return found


def legs_of(timeline: int, histories: Mapping[int, bytes]) -> list[Leg]:
    """
    Return the way to a timeline from the first one, oldest first.

    Raises:
        BackupError: its history is missing.
    """
    if timeline not in histories:
        # The first one has none, and a cluster may have been copied without those of its past.
        return [Leg(timeline, 0)]
    legs, begins = [], 0
    for ancestor, left in parents_of(histories[timeline]):
        legs.append(Leg(ancestor, begins))
        begins = left
    return [*legs, Leg(timeline, begins)]
