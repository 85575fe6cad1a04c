"""The log of runs, written in the transactions that move rows."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Final

from django.utils import timezone

from friren.core.choices import AuditAction
from friren.operations.archive.moving import Batch
from friren.operations.archive.policies import ArchivePolicy
from friren.operations.choices import ArchiveDirection, ArchiveTarget, RunStatus
from friren.operations.models import ArchiveRun
from friren.persistence.audit import record_operation

__all__ = ["begin", "complete", "fail", "interrupted", "record"]

log = logging.getLogger(__name__)

INTERRUPTED: Final = "the process ended before it was done; what it moved is where it was moved to"


def begin(
    policy: ArchivePolicy,
    direction: ArchiveDirection,
    *,
    until: dt.datetime,
    since: dt.datetime | None = None,
    target: ArchiveTarget = ArchiveTarget.TABLE,
    path: str = "",
    using: str,
) -> ArchiveRun:
    """Note that rows are about to be moved, and by whom, in the caller's transaction."""
    run = ArchiveRun.objects.using(using).create(
        table_name=policy.table, direction=direction, target=target, since_at=since, cutoff_at=until, path=path,
        started_at=timezone.now(), rows_digest="0",
    )  # fmt: skip
    _audit(policy, run, {"status": run.status, "since": since, "until": until, "path": path}, using)
    return run


def record(run: ArchiveRun, batch: Batch) -> None:
    """Note what a batch moved, in its transaction."""
    run.rows_copied += batch.rows
    run.rows_deleted += batch.rows
    run.first_seq = min(batch.first_seq, batch.first_seq if run.first_seq is None else run.first_seq)
    run.last_seq = max(batch.last_seq, batch.last_seq if run.last_seq is None else run.last_seq)
    run.rows_digest = str(int(run.rows_digest) + batch.digest)
    run.save(update_fields=["rows_copied", "rows_deleted", "first_seq", "last_seq", "rows_digest"])


def complete(policy: ArchivePolicy, run: ArchiveRun, using: str) -> None:
    """Note that a run is done, in the caller's transaction."""
    run.status, run.finished_at = RunStatus.COMPLETED, timezone.now()
    run.save(update_fields=["status", "finished_at"])
    told = {"status": run.status, "rows": run.rows_copied, "digest": run.rows_digest, "path": run.path}
    _audit(policy, run, told, using)


def fail(run: ArchiveRun, why: str) -> None:
    """Note that a run ended before it was done."""
    run.status, run.finished_at, run.message = RunStatus.FAILED, timezone.now(), why
    run.save(update_fields=["status", "finished_at", "message"])


def interrupted(policy: ArchivePolicy, using: str) -> list[ArchiveRun]:
    """Return the runs of a table, held by the caller, that a killed process has left."""
    found = ArchiveRun.objects.using(using).filter(table_name=policy.table, status=RunStatus.RUNNING)
    return list(found.order_by("id"))


def _audit(policy: ArchivePolicy, run: ArchiveRun, told: dict[str, object], using: str) -> None:
    source = "archive" if run.direction == ArchiveDirection.ARCHIVE else "unarchive"
    record_operation(
        AuditAction.ARCHIVE, source=source, model_label=policy.model._meta.label, object_pk=f"run {run.pk}",
        after={name: value for name, value in told.items() if value not in {None, ""}}, using=using,
    )  # fmt: skip
