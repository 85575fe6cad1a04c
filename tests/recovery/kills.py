"""kill -9 at every step of making a base, removing, and restoring: nothing is ever half there."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess

from django.utils import timezone

from friren.operations.backup.bases import make_base
from friren.operations.backup.chains import needed_from
from friren.operations.backup.manifest import check_sums
from friren.operations.backup.moments import Target
from friren.operations.backup.pruning import prune_backups
from friren.operations.backup.retention import Policy
from friren.operations.backup.rewinding import restore_moment
from friren.operations.backup.shelf import Shelf
from tests.killed import killed
from tests.recovery.ground import MARKER, World, stored

__all__ = ["MAKING", "REMOVING", "RESTORING", "kill_making", "kill_removing", "kill_restoring"]

_BACKUP = "friren.operations.backup"
_FILES = "friren.persistence.journal.files:Files"
# Function, moment, which call, and whether the backup is there afterwards.
MAKING = [
    (f"{_BACKUP}.records:begin", "after", 1, False),
    (f"{_BACKUP}.dumping:HashingFile.write", "after", 2, False),
    (f"{_BACKUP}.bases:write_output", "after", 1, False),
    (f"{_FILES}.write_whole", "after", 1, False),
    (f"{_FILES}.write_whole", "after", 2, False),
    (f"{_FILES}.write_whole", "after", 3, False),
    (f"{_FILES}.rename", "before", 4, False),
    (f"{_FILES}.rename", "after", 4, True),
    (f"{_BACKUP}.records:complete", "after", 2, True),  # the first is that of the one before
]
REMOVING = [
    (f"{_FILES}.rename", "before", 1),
    (f"{_FILES}.rename", "after", 1),
    ("shutil:rmtree", "before", 1),
    ("os:unlink", "after", 1),
    ("shutil:rmtree", "after", 1),
    (f"{_BACKUP}.records:prune", "after", 1),
    (f"{_BACKUP}.wal:Archive.prune", "before", 1),
    ("pathlib:Path.unlink", "after", 1),
    (f"{_BACKUP}.wal:Archive.prune", "after", 1),
]
# Function, moment, which call, and whether the restored data are in place afterwards.
RESTORING = [
    (f"{_BACKUP}.finding:whole_chain", "after", 1, False),
    (f"{_BACKUP}.staging:_lay", "after", 1, False),
    (f"{_BACKUP}.finding:stage_wal", "after", 1, False),
    (f"{_BACKUP}.unpacking:_unpack", "after", 1, False),
    (f"{_BACKUP}.rewinding:unpack_chain", "after", 1, False),
    (f"{_BACKUP}.recovering:_look", "before", 1, False),
    (f"{_BACKUP}.rewinding:recover", "after", 1, False),
    (f"{_BACKUP}.rewinding:_claim", "after", 1, False),
    (f"{_BACKUP}.rewinding:_publish", "after", 1, True),
]


def kill_making(world: World, places=MAKING) -> list[str]:
    """Kill a base backup at each place; then one goes through and clears up."""
    shelf, wrong = Shelf(world.archiving.backups), []
    there = len(shelf.stored())
    for place, moment, call, published in places:
        killed(make_base, place, moment, call)
        there += published
        found = shelf.stored()
        if len(found) != there or any(one.manifest is None for one in found):
            wrong.append(f"{place} {moment}: {len(found)} backups are listed, not {there}")
        for one in found:
            check_sums(one.folder)
    make_base()
    names = {path.name for path in shelf.directory.iterdir()}
    if names != {".lock", *(one.folder.name for one in shelf.stored())}:
        wrong.append(f"something was left: {sorted(names)}")
    world.archiving.archived()
    return wrong


def kill_removing(world: World, places=REMOVING) -> list[str]:
    """
    Kill the removal of everything but the newest base at each place: what is left can always be restored.

    There have to be bases that are newer than the first, as `kill_making` leaves them.
    """
    archiving, wrong = world.archiving, []
    copies = [archiving.folder / f"{name}.copy" for name in ("backups", "wal")]
    originals = [archiving.backups, archiving.wal]
    for original, copy in zip(originals, copies, strict=True):
        copy_of(original, copy)
    policy = Policy(days={}, minimum=1, window_days=1, bases=1)
    for place, moment, call in places:
        with at_a_later_day():
            killed(lambda: prune_backups(policy=policy), place, moment, call)
            wrong += [f"{place} {moment}: {trouble}" for trouble in unreachable(archiving)]
            prune_backups(policy=policy)
            wrong += [f"after {place} {moment}: {trouble}" for trouble in unreachable(archiving)]
            if prune_backups(policy=policy).plan.remove:
                wrong.append(f"after {place} {moment} something was left to remove")
        for original, copy in zip(originals, copies, strict=True):
            shutil.rmtree(original)
            copy_of(copy, original)
    for copy in copies:
        shutil.rmtree(copy)
    return wrong


def unreachable(archiving) -> list[str]:
    """Return which backups that are listed miss a parent or a segment of WAL."""
    from friren.operations.backup.chains import links_of, whole_chain
    from friren.operations.backup.positions import lsn_of
    from friren.operations.backup.wal import Archive

    links = links_of(Shelf(archiving.backups))
    troubles = [] if links else ["nothing is left"]
    for link in links:
        whole_chain(link, links)
        kept = Archive(archiving.wal, link.physical.system_identifier).kept()
        if link.physical.first_segment not in kept:
            troubles.append(f"{link.physical.first_segment} is gone, which {link.manifest.id} begins with")
    first = min(number for number, _size in needed_from(link.physical for link in links).values())
    assert all(lsn_of(link.physical.start_lsn) // link.physical.segment_bytes >= first for link in links)
    return troubles


def kill_restoring(world: World, places=RESTORING) -> list[str]:
    """Kill a restore at each place; what was there is there still or was replaced, and the next one goes through."""
    wrong, moment = [], world.moments[-1]
    for place, when, call, published in places:
        shutil.rmtree(world.target, ignore_errors=True)
        world.target.mkdir()
        (world.target / MARKER).write_text(MARKER)

        def work() -> object:
            return restore_moment(Target(name=moment.name), into=world.target, force=True, key_file=world.key_file)

        killed(work, place, when, call)
        old = (world.target / MARKER).exists()
        if old is published:
            wrong.append(f"{place} {when}: the target is {'as it was' if old else 'another'}")
        for aside in world.archiving.folder.glob("restored.before-*"):
            shutil.rmtree(aside)
        done = restore_moment(Target(name=moment.name), into=world.target, force=True, key_file=world.key_file)
        if stored(done) != (moment.rows, moment.digest):
            wrong.append(f"after {place} {when} the next restore holds {stored(done)}")
        left = [path.name for path in world.archiving.folder.iterdir() if path.name.startswith(".restored")]
        if left:
            wrong.append(f"after {place} {when} the next restore left {left}")
        for aside in world.archiving.folder.glob("restored.before-*"):
            shutil.rmtree(aside)
    return wrong


def copy_of(source, target) -> None:
    # Owners too: the server's user writes there.
    subprocess.run(["cp", "-a", "--", str(source), str(target)], check=True)


class at_a_later_day:  # noqa: N801 - reads as what it does
    """All that was made until now is older than any window."""

    def __enter__(self) -> None:
        self._really = timezone.now
        timezone.now = lambda: self._really() + dt.timedelta(days=30)

    def __exit__(self, *_: object) -> None:
        timezone.now = self._really
