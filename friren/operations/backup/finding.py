"""What a server is restored from: the backups, here or fetched, and the WAL that leads from them to a moment."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyrage import x25519

from friren.errors import BackupError
from friren.operations.backup import settings
from friren.operations.backup.chains import Link, links_of, starts_for, whole_chain
from friren.operations.backup.manifest import Physical, read_manifest
from friren.operations.backup.moments import Target
from friren.operations.backup.offsite import Elsewhere, fetch_into, places
from friren.operations.backup.positions import Leg, legs_of
from friren.operations.backup.programs import find_programs
from friren.operations.backup.shelf import Shelf, candidate_of, is_name
from friren.operations.backup.staging import NotReachedError, Staged, stage_wal
from friren.operations.backup.wal import Archive, is_segment

__all__ = ["Identities", "Proven", "prove"]

_PRIVATE = 0o700
Identities = Callable[[], Sequence[x25519.Identity]]


@dataclass(frozen=True, slots=True)
class Proven:
    """What it is restored from: backups, WAL that lies beside the target, and the timelines that it passes."""

    chain: list[Link]
    wal: Staged
    legs: list[Leg]


def prove(shelf: Shelf, target: Target, timeline: int | None, staging: Path, identities: Identities) -> Proven:
    """
    Choose what to restore from, and prove every file of it.

    Nothing is written but to the folder beside the target, and the backups that are fetched where none here reaches it.

    Raises:
        BackupError: nothing leads to the target, or a file on the way is missing, damaged or another one's.
        ConfigurationError: a key, the programs or boto3 are missing.
    """
    links = _links(shelf, target)
    system = links[-1].physical.system_identifier
    links = [link for link in links if link.physical.system_identifier == system]
    archive = Archive(settings.wal_directory(), system, places())
    kept = archive.kept()
    if archive.unasked and target == Target():
        raise BackupError(
            f"{'; '.join(archive.unasked)}: nobody knows what is the latest. --to-time restores what is here; "
            "unset BACKUP_S3_URL or BACKUP_EXTERNAL_DIR to do without that place"
        )
    histories = archive.histories(kept, identities)
    if timeline is None:
        # Not those of histories alone: a restore elsewhere, that nobody works on, leaves no more of its timeline.
        archived = (int(name[:8], 16) for name in kept if is_segment(name))
        timeline = max([*archived, *(link.physical.timeline for link in links)])
    legs = legs_of(timeline, histories)
    starts = starts_for(links, legs, until=target.at)
    if not starts:
        oldest = min((link.physical.stopped_at for link in links), default=None)
        raise BackupError(
            f"no backup on the way to {target} along timeline {timeline}: the oldest reaches from "
            f"{oldest.isoformat() if oldest else 'never'} on"
        )
    _refuse_damaged(shelf, starts[0], target)
    refusal: NotReachedError | None = None
    # For a name only the WAL tells which backup it follows.
    for link in starts if target.name else starts[:1]:
        chain = whole_chain(link, links)
        programs = find_programs(link.manifest.major, program="pg_waldump")
        folder = staging / "wal"
        folder.mkdir(mode=_PRIVATE)
        try:
            staged = stage_wal(link, legs, archive, target, folder=folder, programs=programs, identities=identities)
        except NotReachedError as exc:
            refusal = refusal or exc
            shutil.rmtree(folder)
            continue
        for number, text in histories.items():
            (folder / f"{number:08X}.history").write_bytes(text)
        return Proven(chain, staged, legs)
    assert refusal is not None
    if archive.unasked:
        raise BackupError(f"{refusal} ({'; '.join(archive.unasked)})") from refusal
    raise refusal


def _links(shelf: Shelf, target: Target) -> list[Link]:
    """Return the backups of whole servers that are here; where none of them reaches a target, one is fetched."""
    here = any(target.at is None or link.physical.stopped_at <= target.at for link in links_of(shelf))
    problems = [] if here else _fetch(shelf, target)
    links = links_of(shelf)
    if not links:
        told = "".join(f" ({problem})" for problem in problems)
        raise BackupError(f"there is no backup of a whole server in {shelf.directory}: `backup --base` makes one{told}")
    return links


def _fetch(shelf: Shelf, target: Target) -> list[str]:
    """
    Fetch the newest backup from elsewhere that ended before a target, with all it builds on; say who refused.

    For a name all of them: only WAL tells which backup it follows.
    """
    problems = []
    for place in places():
        try:
            for name in reversed(place.ids()):
                told = candidate_of(name)
                if told.physical and (target.at is None or told.at <= target.at):
                    newest = _fetch_chain(shelf, place, name)
                    if not target.name and (target.at is None or newest.stopped_at <= target.at):
                        return []
        except BackupError as exc:
            problems.append(str(exc))
    return problems


def _fetch_chain(shelf: Shelf, place: Elsewhere, name: str) -> Physical:
    folder = shelf.directory / name
    physical = read_manifest(folder if folder.exists() else fetch_into(shelf, place, name)).physical
    if physical is None:
        raise BackupError(f"{name} in {place.name} is no backup of a whole server, though its name says so")
    if physical.parent:
        _fetch_chain(shelf, place, physical.parent)
    return physical


def _refuse_damaged(shelf: Shelf, chosen: Link, target: Target) -> None:
    """Refuse to pass over a newer backup in silence because nobody can read what it is."""
    for one in shelf.stored():
        told = candidate_of(one.folder.name) if one.manifest is None and is_name(one.folder.name) else None
        if told is None or not told.physical or told.id <= chosen.manifest.id:
            continue
        if target.at is None or told.at <= target.at:
            raise BackupError(f"{one.problem}. Move it away to restore from {chosen.manifest.id}")
