"""
Restore a whole server to a moment: a new data directory, or the embedded server's own in place of the old one.

All of it happens in a folder beside the target: files are proven by their checksums, WAL segment by segment, the server
recovers there, is promoted, read and stopped. The target is touched by one rename at the very end, and what was there
is kept. A process that is killed leaves the target as it was (or what it has begun is finished by the next start), and
a folder that the next restore clears away.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from django.conf import settings as django_settings
from django.db import Error as DatabaseError
from django.db import connections
from django.utils import timezone

from friren import archive_wal, embedded
from friren.embedded import process
from friren.embedded.archiving import start_own
from friren.embedded.binaries import find_binaries
from friren.embedded.location import Identity, server_identity, socket_directory, traversable
from friren.errors import BackupError
from friren.operations.backup import records, settings
from friren.operations.backup.chains import Link
from friren.operations.backup.encryption import read_identities
from friren.operations.backup.finding import Identities, Proven, prove
from friren.operations.backup.moments import Target
from friren.operations.backup.programs import find_programs
from friren.operations.backup.recovering import Recovered, recover
from friren.operations.backup.shelf import Shelf
from friren.operations.backup.staging import Staged
from friren.operations.backup.unpacking import unpack_chain
from friren.operations.connectivity import one_line

__all__ = ["Rewound", "restore_moment"]

_PRIVATE = 0o700


@dataclass(frozen=True, slots=True)
class Rewound:
    """
    What was restored.

    Attributes:
        chain: the backups, the base first.
        path: of the data directory.
        kept: what was there before, under its new name; "" when there was nothing.
        in_place: whether the embedded server runs on it now.
        skipped: what could not be done, and does not matter to what was restored.
    """

    target: Target
    chain: list[Link]
    wal: Staged
    recovered: Recovered
    path: Path
    kept: str
    in_place: bool
    skipped: list[str]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Place:
    """Where it goes: `location` is the embedded server when it is to take its place."""

    final: Path
    staging: Path
    aside: Path
    location: embedded.Location | None
    identity: Identity | None


def restore_moment(
    target: Target, *, into: Path | None = None, force: bool = False, timeline: int | None = None,
    directory: Path | None = None, key_file: Path | None = None,
) -> Rewound:  # fmt: skip
    """
    Restore the newest backup before a moment and the WAL that was archived since, up to that moment.

    Args:
        into: a new data directory; the embedded server's own when it is None.
        force: whether what is there is put aside.
        timeline: along which to go; the newest that was archived unless given.
        directory: where the backups lie; BACKUP_DIR by default. WAL lies in BACKUP_WAL_DIR.
        key_file: the age private key; BACKUP_DECRYPTION_KEY_FILE by default.

    Raises:
        BackupError: the target cannot be reached, a file is damaged or missing, or the place is taken. What is at the
            place is as it was.
        ConfigurationError: a key or the programs are missing.
    """
    began = time.monotonic()
    shelf = Shelf(directory or settings.directory())
    place = _place(into, force=force)
    # Held to the end: nothing that it is restored from may be removed meanwhile.
    with shelf.locked(), shelf.told():
        _clear(place)
        place.staging.mkdir(mode=_PRIVATE)
        try:
            identities = cache(lambda: read_identities(key_file or settings.decryption_key_file()))
            proven = prove(shelf, target, timeline, place.staging, identities)
            recovered, skipped = _rebuild(proven, target, place, identities)
            kept = _publish(place)
        finally:
            shutil.rmtree(place.staging, ignore_errors=True)
    if place.location is not None:
        skipped += _take_up(place.location, proven.chain[-1], kept)
    return Rewound(
        target=target,
        chain=proven.chain,
        wal=proven.wal,
        recovered=recovered,
        path=place.final,
        kept=kept,
        in_place=place.location is not None,
        skipped=skipped,
        seconds=round(time.monotonic() - began, 3),
    )


def _place(into: Path | None, *, force: bool) -> _Place:
    stamp = f"before-{timezone.now():%Y%m%dT%H%M%SZ}"
    if into is None:
        if not getattr(django_settings, "FRIREN_EMBEDDED", False):
            raise BackupError("name a new data directory with --into: only the embedded server's own can be replaced")
        location = embedded.locate(django_settings.FRIREN_HOME, binaries=django_settings.FRIREN_EMBEDDED_BIN)
        if location.data.exists() and not force:
            raise BackupError(
                f"{location.data} has a database: --force puts it aside under another name, --into restores elsewhere"
            )
        location.root.mkdir(parents=True, exist_ok=True)
        aside = location.root / f"data.{stamp}"
        return _Place(location.data, location.root / "restoring", aside, location, server_identity(location))
    final = into.expanduser().absolute()
    if process.find(final) is not None:
        raise BackupError(f"a server runs on {final}: stop it, or name another folder")
    if final.exists() and (not final.is_dir() or any(final.iterdir())) and not force:
        raise BackupError(f"{final} is not empty: --force puts it aside under another name")
    if not final.parent.is_dir():
        raise BackupError(f"there is no folder {final.parent} to restore into")
    staging = final.with_name(f".{final.name}.restoring")
    identity = server_identity(embedded.Location(staging, staging))
    if identity is not None and not traversable(final):
        raise BackupError(f"the server's own user cannot reach {final}: name a folder that it can reach")
    return _Place(final, staging, final.with_name(f"{final.name}.{stamp}"), None, identity)


def _clear(place: _Place) -> None:
    """Clear away what a restore that was killed has left: its server, and its folder."""
    if place.location is not None:
        embedded.settle(place.location)
    left = embedded.Location(place.staging, socket_directory(place.staging))
    if process.find(left.data) is not None:
        embedded.stop(replace(left, binaries=find_binaries(None, identity=None).directory))
    shutil.rmtree(left.socket_directory, ignore_errors=True)
    if place.staging.exists():
        shutil.rmtree(place.staging)


def _rebuild(proven: Proven, target: Target, place: _Place, identities: Identities) -> tuple[Recovered, list[str]]:
    link, staging = proven.chain[-1], place.staging
    programs = find_programs(link.manifest.major, program="pg_controldata")
    needed = 2 * sum(one.physical.unpacked_bytes for one in proven.chain)
    if (free := shutil.disk_usage(staging).free) < needed:
        raise BackupError(f"{staging.parent} has {free} bytes free, and up to {needed} are needed")
    binaries = find_binaries(programs.directory, identity=place.identity)
    location = embedded.Location(staging, socket_directory(staging), binaries.directory)
    unpack_chain(proven.chain, location.data, programs=programs, identities=identities)
    recovered = recover(
        location, binaries, place.identity, target=target.settings(), timeline=proven.legs[-1].timeline,
        wal=staging / "wal", superuser=link.physical.superuser, database=link.manifest.database,
    )  # fmt: skip
    shutil.rmtree(location.socket_directory, ignore_errors=True)
    if target == Target() and recovered.lsn < proven.wal.last_lsn:
        raise BackupError("the server stopped before the end of the archive")
    return recovered, _claim(location.data, link, recovered, place.identity)


def _claim(data: Path, link: Link, recovered: Recovered, identity: Identity | None) -> list[str]:
    """Archive the history of the new timeline: no other restore takes its number, and later ones find the way."""
    path = data / "pg_wal" / f"{recovered.timeline:08X}.history"
    to = settings.wal_directory()
    new = not to.exists()
    try:
        made = archive_wal.keep(
            path, path.name, to=to, system=int(link.physical.system_identifier),
            keys=tuple(settings.encryption_keys()),
        )  # fmt: skip
        if identity is not None and sys.platform != "win32":
            # On a new machine the folders are new too, and the server is to go on archiving there.
            for one in (made, made.parent, *([to] if new else [])):
                os.chown(one, identity.uid, identity.gid)
    except (OSError, archive_wal.RefusedError) as exc:
        return [f"the history of timeline {recovered.timeline} in the archive: {one_line(exc)}"]
    return []


def _publish(place: _Place) -> str:
    """Put the restored data in their place, and return the name of what was there."""
    prepared = place.staging / "data"
    if place.location is not None:
        there = place.final.exists()
        connections.close_all()
        embedded.replace_data(place.location, prepared, aside=place.aside)
        return str(place.aside) if there else ""
    kept = ""
    if place.final.exists():
        if any(place.final.iterdir()):
            place.final.rename(place.aside)
            kept = str(place.aside)
        else:
            place.final.rmdir()
    prepared.rename(place.final)
    return kept


def _take_up(location: embedded.Location, link: Link, kept: str) -> list[str]:
    """Start the embedded server on what was restored, and note where it comes from."""
    start_own(location)
    connections.close_all()
    try:
        records.restored(link.path, link.manifest, kept=kept)
    except DatabaseError as exc:
        return [f"the entry in the audit log: {one_line(exc)}"]
    return []
