"""Remove the backups that nothing asks to be kept, and the WAL that no base needs any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.utils import timezone

from friren.operations.backup import records, settings
from friren.operations.backup.chains import candidate, needed_from
from friren.operations.backup.manifest import Physical
from friren.operations.backup.offsite import Copied, prune_copies
from friren.operations.backup.retention import Plan, Policy, plan_retention
from friren.operations.backup.shelf import Shelf, candidate_of, is_name
from friren.operations.backup.wal import Archive
from friren.operations.backup.wal_copies import prune_wal_copies

__all__ = ["Pruned", "prune_backups"]


@dataclass(frozen=True, slots=True)
class Pruned:
    """
    What was removed, and what stays.

    Attributes:
        freed: bytes of the dumps that were removed.
        freed_wal: bytes of the WAL that was removed.
        damaged: folders whose manifest cannot be read: they count for nothing, and a person decides.
        copies: what was removed elsewhere.
    """

    plan: Plan
    freed: int
    freed_wal: int
    damaged: list[str]
    copies: list[Copied]


def prune_backups(*, directory: Path | None = None, dry_run: bool = False, policy: Policy | None = None) -> Pruned:
    """
    Remove what `plan_retention` does not keep. Each backup goes out of the list at once and whole; a process that is
    killed on the way leaves nothing that is listed and not restorable, and the next one removes the rest.

    Args:
        directory: where the backups lie; BACKUP_DIR by default.
        dry_run: only say what would be removed.
        policy: the rules; those of the settings by default.

    Raises:
        BackupError: another process holds the folder, or the disk refuses.
    """
    shelf = Shelf(directory or settings.directory())
    with shelf.locked(), shelf.told():
        records.settle(shelf)
        stored = shelf.stored()
        refuted = records.refuted(shelf)
        whole = {one.manifest.id: (one, one.manifest) for one in stored if one.manifest is not None}
        candidates = [candidate(one, manifest, refuted=refuted) for one, manifest in whole.values()]
        plan = plan_retention(candidates, now=timezone.now(), policy=policy or Policy())
        for name in [] if dry_run else plan.remove:
            one, manifest = whole[name]
            shelf.remove(one.folder)
            records.prune(one.folder / manifest.file)
        stays = [manifest.physical for name, (_one, manifest) in whole.items() if name in plan.keep]
        physical = [one for one in stays if one is not None]
        # Where a backup cannot be read, nobody knows what WAL it needs.
        unknown = any(
            one.manifest is None and is_name(one.folder.name) and candidate_of(one.folder.name).physical
            for one in stored
        )
        wal = 0 if dry_run or unknown else _prune_wal(physical)
    elsewhere = not dry_run and directory is None
    copies = prune_copies(shelf, policy or Policy()) if elsewhere else []
    copies += prune_wal_copies(physical) if elsewhere and not unknown else []
    freed = sum(whole[name][1].bytes for name in plan.remove)
    return Pruned(plan, freed, wal, [one.folder.name for one in stored if one.manifest is None], copies)


def _prune_wal(kept: Iterable[Physical]) -> int:
    """Remove the WAL before the oldest backup of each server; that of one without any stays."""
    return sum(
        Archive(settings.wal_directory(), system).prune(before=number, segment_bytes=size)
        for system, (number, size) in needed_from(kept).items()
    )
