"""The log of backups in the database: written beside what is on disk, and made to agree with it."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path
from typing import Final

from django.db import DEFAULT_DB_ALIAS, transaction
from django.utils import timezone

from friren.core.choices import AuditAction
from friren.operations.backup.manifest import Manifest
from friren.operations.backup.settings import DAILY_DAYS, WEEKLY_DAYS
from friren.operations.backup.shelf import Shelf
from friren.operations.choices import BackupKind, RunStatus
from friren.operations.models import BackupRecord
from friren.persistence.audit import record_change

__all__ = ["begin", "complete", "expiry", "fail", "refute", "restored", "settle", "verify"]

log = logging.getLogger(__name__)

_KEPT_DAYS: Final = {BackupKind.DAILY: DAILY_DAYS, BackupKind.WEEKLY: WEEKLY_DAYS}
_INTERRUPTED: Final = "the process that made it ended before it was done"


def expiry(kind: str, at: dt.datetime) -> dt.datetime | None:
    """Return when a backup of a kind may be removed; None when only a person decides."""
    days = _KEPT_DAYS.get(BackupKind(kind))
    return None if days is None else at + dt.timedelta(days=days)


def begin(path: Path, *, kind: str, form: str, encrypted: bool, at: dt.datetime) -> int:
    """Note that a backup is being made, and return the number of the record."""
    made = BackupRecord.objects.create(
        kind=kind, format=form, path=str(path), is_encrypted=encrypted, started_at=at, expires_at=expiry(kind, at)
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
        "kind": manifest.kind,
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


def settle(shelf: Shelf) -> None:
    """
    Finish the records of backups in this folder whose process is gone: whole on disk, or failed.

    Called while the folder is locked, so that no backup of it can be running.
    """
    whole = {str(one.folder / one.manifest.file): one.manifest for one in shelf.stored() if one.manifest is not None}
    running = BackupRecord.objects.filter(status=RunStatus.RUNNING, path__startswith=f"{shelf.directory}/")
    for record in running:
        manifest = whole.get(record.path)
        if manifest is not None:
            complete(Path(record.path), manifest)
        else:
            fail(Path(record.path), _INTERRUPTED)
            log.warning("backup %s failed: %s", record.path, _INTERRUPTED)
