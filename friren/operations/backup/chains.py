"""Backups of the whole server as they hang together: an incremental one is restored with all that it builds on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from friren.errors import BackupError
from friren.operations.backup.manifest import Manifest, Physical, check_sums
from friren.operations.backup.positions import Leg, lsn_of
from friren.operations.backup.retention import Candidate, chain_of
from friren.operations.backup.shelf import Shelf, Stored

__all__ = ["Link", "candidate", "latest_link", "links_of", "needed_from", "starts_for", "whole_chain"]


@dataclass(frozen=True, slots=True)
class Link:
    """One backup of a whole server."""

    folder: Path
    manifest: Manifest
    physical: Physical

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder / self.manifest.file


def links_of(shelf: Shelf) -> list[Link]:
    """Return the backups of whole servers that lie on a shelf with a sound manifest, oldest first."""
    found = [
        Link(one.folder, one.manifest, one.manifest.physical)
        for one in shelf.stored()
        if one.manifest is not None and one.manifest.physical is not None
    ]
    return sorted(found, key=lambda link: (link.physical.stopped_at, link.manifest.id))


def candidate(stored: Stored, manifest: Manifest, *, refuted: Collection[str]) -> Candidate:
    """Return what retention has to know of a backup."""
    physical = manifest.physical
    return Candidate(
        id=manifest.id,
        kind=manifest.kind,
        at=manifest.started_at if physical is None else physical.stopped_at,
        sound=str(stored.folder / manifest.file) not in refuted,
        verified=stored.verification is not None,
        parent="" if physical is None else physical.parent,
    )


def latest_link(shelf: Shelf, system_identifier: str, *, refuted: Collection[str]) -> Stored | None:
    """Return the newest backup of a server whose whole chain is there and sound."""
    stored = [
        (one, candidate(one, one.manifest, refuted=refuted))
        for one in shelf.stored()
        if one.manifest is not None
        and one.manifest.physical is not None
        and one.manifest.physical.system_identifier == system_identifier
    ]
    stored.sort(key=lambda pair: (pair[1].at, pair[1].id))
    every = [one for _stored, one in stored]
    usable = [one for one, told in stored if chain_of(told, every)]
    return usable[-1] if usable else None


def whole_chain(link: Link, links: Sequence[Link]) -> list[Link]:
    """
    Return what a backup is restored from, its base first, each file of it proven by its checksum.

    Raises:
        BackupError: a link is missing, damaged, or of another server.
    """
    by_id = {one.manifest.id: one for one in links}
    chain = [link]
    while parent := chain[0].physical.parent:
        if parent not in by_id:
            raise BackupError(f"{chain[0].manifest.id} builds on {parent}, which is not there or damaged")
        chain.insert(0, by_id[parent])
        if chain[0].physical.system_identifier != link.physical.system_identifier or len(chain) > len(by_id):
            raise BackupError(f"{chain[1].manifest.id} builds on {parent}, which is of another server")
    for one in chain:
        if check_sums(one.folder) != one.manifest:
            raise BackupError(f"{one.folder}: the manifest has changed meanwhile")
    return chain


def starts_for(links: Iterable[Link], legs: Sequence[Leg], *, until: dt.datetime | None) -> list[Link]:
    """
    Return the backups from which a timeline can be reached, newest first.

    Args:
        until: the moment to restore; None for any.
    """
    ends = {leg.timeline: following.begins for leg, following in pairwise(legs)}
    timelines = {leg.timeline for leg in legs}
    found = [
        link
        for link in links
        if link.physical.timeline in timelines
        and lsn_of(link.physical.stop_lsn) <= ends.get(link.physical.timeline, lsn_of(link.physical.stop_lsn))
        and (until is None or link.physical.stopped_at <= until)
    ]
    return found[::-1]


def needed_from(kept: Iterable[Physical]) -> dict[str, tuple[int, int]]:
    """Return by system identifier the first segment that any of these backups needs, and the size of a segment."""
    found: dict[str, tuple[int, int]] = {}
    for physical in kept:
        number, size = lsn_of(physical.start_lsn) // physical.segment_bytes, physical.segment_bytes
        oldest, _size = found.get(physical.system_identifier, (number, size))
        found[physical.system_identifier] = (min(number, oldest), size)
    return found
