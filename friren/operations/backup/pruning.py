"""Remove the backups that nothing asks to be kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.utils import timezone

from friren.operations.backup import records, settings
from friren.operations.backup.offsite import Copied, prune_copies
from friren.operations.backup.retention import Candidate, Plan, Policy, plan_retention
from friren.operations.backup.shelf import Shelf

__all__ = ["Pruned", "prune_backups"]


@dataclass(frozen=True, slots=True)
class Pruned:
    """
    What was removed, and what stays.

    Attributes:
        freed: bytes of the dumps that were removed.
        damaged: folders whose manifest cannot be read: they count for nothing, and a person decides.
        copies: what was removed elsewhere.
    """

    plan: Plan
    freed: int
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
        candidates = [
            Candidate(
                id=manifest.id,
                kind=manifest.kind,
                at=manifest.started_at,
                sound=str(one.folder / manifest.file) not in refuted,
                verified=one.verification is not None,
            )
            for one, manifest in whole.values()
        ]
        plan = plan_retention(candidates, now=timezone.now(), policy=policy or Policy())
        for name in [] if dry_run else plan.remove:
            one, manifest = whole[name]
            shelf.remove(one.folder)
            records.prune(one.folder / manifest.file)
    copies = [] if dry_run or directory is not None else prune_copies(shelf, policy or Policy())
    freed = sum(whole[name][1].bytes for name in plan.remove)
    return Pruned(plan, freed, [one.folder.name for one in stored if one.manifest is None], copies)
