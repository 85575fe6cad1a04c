"""Lay out the WAL that leads from a backup to a target, proven, before anything is restored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

from pyrage import x25519

from friren.archive_wal import segment_number, segment_timeline
from friren.embedded.binaries import Binaries
from friren.errors import BackupError
from friren.operations.backup.chains import Link
from friren.operations.backup.moments import Target, events_of
from friren.operations.backup.positions import Leg, lsn_of
from friren.operations.backup.wal import Archive, Kept, is_segment, way

__all__ = ["NotReachedError", "Staged", "stage_wal"]

# Segments that are laid out before it is looked whether the target is among them: a gigabyte.
_BATCH: Final = 64
# What is looked at for zeros: the tail of a segment that was ended early takes no room.
_BLOCK: Final = 64 * 1024


class NotReachedError(BackupError):
    """The WAL that follows a backup does not have the target."""


@dataclass(slots=True)
class Staged:
    """
    What was laid out.

    Attributes:
        segments: their names, in order.
        last_at: the end of the last transaction that was seen in them.
        last_lsn: the last place where recovery could stop.
    """

    segments: list[str] = field(default_factory=list)
    last_at: dt.datetime | None = None
    last_lsn: int = 0


@dataclass(frozen=True, slots=True)
class _Way:
    """From a backup along timelines to a target, through an archive, into a folder."""

    link: Link
    legs: Sequence[Leg]
    target: Target
    archive: Archive
    kept: dict[str, Kept]
    identities: Callable[[], Sequence[x25519.Identity]]
    programs: Binaries
    folder: Path

    @property
    def size(self) -> int:
        """Bytes of a segment."""
        return self.link.physical.segment_bytes

    def names(self, start: int) -> Iterator[str]:
        """Return the names of its segments from an address on, without an end."""
        return way(self.legs, start=start, segment_bytes=self.size)

    def furthest(self) -> int:
        """Return the number of the last segment that was archived of its timelines."""
        timelines = {leg.timeline for leg in self.legs}
        ours = (name for name in self.kept if is_segment(name) and int(name[:8], 16) in timelines)
        return max((segment_number(name, self.size) for name in ours), default=0)


def stage_wal(
    link: Link,
    legs: Sequence[Leg],
    archive: Archive,
    target: Target,
    *,
    folder: Path,
    programs: Binaries,
    identities: Callable[[], Sequence[x25519.Identity]],
) -> Staged:
    """
    Lay the segments from the start of a backup up to the target into a folder, each proven whole and in its place.

    Raises:
        NotReachedError: the target is not in them.
        BackupError: a segment is missing, damaged, swapped, of another cluster or timeline; the message names it.
        ConfigurationError: no key file is named, or it has no key.
    """
    ours = _Way(link, legs, target, archive, archive.kept(), identities, programs, folder)
    staged, missing = Staged(), ""
    for name in ours.names(lsn_of(link.physical.start_lsn)):
        if name not in ours.kept:
            missing = name
            break
        _lay(ours, name)
        staged.segments.append(name)
        if len(staged.segments) % _BATCH == 0 and _look(ours, staged, _BATCH):
            return staged
    if not _look(ours, staged, len(staged.segments) % _BATCH):
        _judge(ours, staged, missing)
    return staged


def _judge(ours: _Way, staged: Staged, missing: str) -> None:
    """Raise NotReachedError unless an archive that ends before a missing segment holds all that was asked for."""
    begun, wanted = ours.link.manifest.id, ours.archive.folder / missing
    number, last = segment_number(missing, ours.size), ours.furthest()
    following = zip(ours.names((number + 1) * ours.size), range(last - number), strict=False)
    if not staged.segments:
        raise NotReachedError(f"{begun} begins with the WAL {wanted}, which is missing in the archive")
    if any(name in ours.kept for name, _number in following):
        raise NotReachedError(
            f"the WAL {wanted} is missing: from {begun} on the archive is whole up to {_told(staged.last_at)}, "
            f"before {ours.target}"
        )
    if last < segment_number(ours.link.physical.last_segment, ours.size):
        raise NotReachedError(f"the WAL {wanted} is missing, without which {begun} is not consistent")
    if ours.target.at is not None:
        raise NotReachedError(
            f"the archive ends with a transaction of {_told(staged.last_at)}, before {ours.target}: "
            "--to-latest restores all of it"
        )
    if ours.target.name:
        raise NotReachedError(f"no restore point {ours.target.name} follows {begun} in {ours.archive.folder}")


def _look(ours: _Way, staged: Staged, newest: int) -> bool:
    """Read the newest segments, and return whether the target is in them."""
    first, stop = lsn_of(ours.link.physical.start_lsn), lsn_of(ours.link.physical.stop_lsn)
    # With the one before them: a record may cross into the first of them.
    latest = staged.segments[-(newest + 1) :] if newest else []
    for timeline, group in groupby(latest, key=lambda name: int(name[:8], 16)):
        names = list(group)
        start = max(first, segment_number(names[0], ours.size) * ours.size)
        end = (segment_number(names[-1], ours.size) + 1) * ours.size
        for event in events_of(ours.programs, ours.folder, timeline=timeline, start=start, end=end):
            staged.last_lsn, staged.last_at = event.lsn, event.at or staged.last_at
            if event.lsn >= stop and ours.target.passed_by(event):
                return True
    return False


def _lay(ours: _Way, name: str) -> None:
    one = ours.kept[name]
    content = ours.archive.read(one, ours.identities)
    number, timeline = segment_number(name, ours.size), segment_timeline(content)
    fork = any(leg.timeline == int(name[:8], 16) and leg.begins // ours.size == number for leg in ours.legs)
    if timeline != int(name[:8], 16) and not fork:
        raise BackupError(f"{one} is of timeline {timeline}, not {int(name[:8], 16)}")
    with (ours.folder / name).open("wb") as file:
        for place in range(0, len(content), _BLOCK):
            part = content[place : place + _BLOCK]
            if any(part):
                file.seek(place)
                file.write(part)
        file.truncate(len(content))


def _told(at: dt.datetime | None) -> str:
    return "its own end" if at is None else at.isoformat()
