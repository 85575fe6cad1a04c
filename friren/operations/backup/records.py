"""The log of backups in the database: written beside what is on disk, and made to agree with it."""

from __future__ import annotations

import datetime as dt
import logging
import os
from pathlib import Path
from typing import Final

from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import QuerySet
from django.utils import timezone

from friren.core.choices import AuditAction
from friren.operations.backup.manifest import Manifest
from friren.operations.backup.retention import expiry
from friren.operations.backup.shelf import Shelf
from friren.operations.choices import BackupKind, RunStatus
from friren.operations.models import BackupRecord
from friren.persistence.audit import record_change

__all__ = ["begin", "complete", "fail", "prune", "refute", "refuted", "restored", "settle", "verify"]

log = logging.getLogger(__name__)

_INTERRUPTED: Final = "the process that made it ended before it was done"
_GONE: Final = "no longer on disk"


def record_kind(kind: str) -> str:
    """Return the BackupKind of a backup; how long one of the whole server is kept goes by no kind, but by others."""
    return kind if kind in BackupKind.values else BackupKind.MANUAL


def begin(path: Path, *, kind: str, form: str, encrypted: bool, at: dt.datetime) -> int:
    """Note that a backup is being made, and return the number of the record."""
    made = BackupRecord.objects.create(
        kind=record_kind(kind),
        format=form,
        path=str(path),
        is_encrypted=encrypted,
        started_at=at,
        expires_at=expiry(kind, at),
    )
    return int(made.pk)


def complete(path: Path, manifest: Manifest) -> None:
    """Note that a backup is whole; a record is made where there is none, as in a database that was restored."""
    values = {
        "status": RunStatus.COMPLETED,
        "size_bytes": manifest.bytes,
        "sha256": manifest.sha256,
        "finished_at": manifest.finished_at,
        "message": "",
        "table_digests": {name: [table.rows, table.digest] for name, table in manifest.contents.tables.items()},
    }
    kept = {
        "kind": record_kind(manifest.kind),
        "format": manifest.format,
        "is_encrypted": bool(manifest.recipients),
        "started_at": manifest.started_at,
        "expires_at": expiry(manifest.kind, manifest.started_at),
    }
    BackupRecord.objects.update_or_create(path=str(path), defaults=values, create_defaults={**kept, **values})


def fail(path: Path, message: str) -> None:
    """Note that a backup could not be made."""
    BackupRecord.objects.filter(path=str(path), status=RunStatus.RUNNING).update(
        status=RunStatus.FAILED, finished_at=timezone.now(), message=message
    )


def verify(path: Path, manifest: Manifest, *, at: dt.datetime, message: str) -> None:
    """Note that a backup was restored and found equal."""
    complete(path, manifest)
    BackupRecord.objects.filter(path=str(path)).update(status=RunStatus.VERIFIED, verified_at=at, message=message)


def refute(path: Path, message: str) -> None:
    """Note that a backup could not be restored, or came out other than it was dumped."""
    BackupRecord.objects.filter(path=str(path)).update(status=RunStatus.FAILED, verified_at=None, message=message)


def restored(path: Path, manifest: Manifest, *, kept: str) -> None:
    """
    Note in a database that was restored where it comes from.

    Raises:
        DatabaseError: its tables are older than the code; `migrate` comes first.
    """
    complete(path, manifest)
    record = BackupRecord.objects.get(path=str(path))
    told = {"backup": manifest.id, "sha256": manifest.sha256, "kept": kept}
    with transaction.atomic():
        record_change(
            record, using=DEFAULT_DB_ALIAS, action=AuditAction.RESTORE, before={}, after=told, source="restore"
        )


def prune(path: Path, *, message: str = "") -> None:
    """Note that a backup was removed."""
    BackupRecord.objects.filter(path=str(path)).update(status=RunStatus.PRUNED, message=message)


def refuted(shelf: Shelf) -> set[str]:
    """Return the paths of backups in a folder that could not be restored, or came out other than they were dumped."""
    return set(_of(shelf).filter(status=RunStatus.FAILED).values_list("path", flat=True))


def settle(shelf: Shelf) -> None:
    """
    Make the log agree with a folder: what a process that was killed had no time to note.

    Called while the folder is locked, so that no backup of it can be running.
    """
    whole = {str(one.folder / one.manifest.file): one for one in shelf.stored() if one.manifest is not None}
    for record in _of(shelf).exclude(status=RunStatus.FAILED):
        path, stored = Path(record.path), whole.get(record.path)
        if stored is not None and stored.manifest is not None:
            if record.status in {RunStatus.RUNNING, RunStatus.PRUNED}:
                complete(path, stored.manifest)
            if stored.verification is not None and record.status != RunStatus.VERIFIED:
                verify(path, stored.manifest, at=stored.verification.verified_at, message="")
        elif record.status == RunStatus.RUNNING:
            fail(path, _INTERRUPTED)
            log.warning("backup %s failed: %s", path, _INTERRUPTED)
        elif record.status != RunStatus.PRUNED and not path.parent.exists():
            prune(path, message=_GONE)


def _of(shelf: Shelf) -> QuerySet[BackupRecord]:
    return BackupRecord.objects.filter(path__startswith=f"{shelf.directory}{os.sep}")
