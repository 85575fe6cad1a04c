"""Backups: when the last one was made, and when one was last restored and compared."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Max, Min, Q
from django.utils import timezone

from friren.operations.backup.settings import DRILL_DAYS_MAX, MAX_AGE_HOURS
from friren.operations.choices import RunStatus
from friren.operations.health.registry import Finding, register
from friren.operations.models import BackupRecord

__all__ = ["check_backups", "register_all"]

_WHOLE = Q(status__in=(RunStatus.COMPLETED, RunStatus.VERIFIED))


def register_all() -> None:
    """Register the check of this module."""
    # An old backup is no reason to take a server out of service.
    register("backups", check_backups, thorough=True)


def check_backups() -> Finding:
    """Compare the age of the last backup and of the last drill with what they may be; a new database has time."""
    now = timezone.now()
    found = BackupRecord.objects.aggregate(
        made=Max("started_at", filter=_WHOLE),
        first=Min("started_at", filter=_WHOLE),
        verified=Max("verified_at", filter=Q(status__in=(RunStatus.VERIFIED, RunStatus.PRUNED))),
        tried=Max("started_at"),
    )
    since: dt.datetime | None = MigrationRecorder.Migration.objects.aggregate(since=Min("applied"))["since"]
    failed = (
        BackupRecord.objects.filter(status=RunStatus.FAILED, started_at__gte=found["made"] or now - _AGE_MAX)
        .order_by("-started_at")
        .first()
    )
    told = [
        _overdue("no backup was made", found["made"] or since, now, _AGE_MAX),
        _overdue("no backup was restored and compared", found["verified"] or found["first"], now, _DRILL_MAX),
        f"the last backup failed: {failed.message}" if failed else "",
    ]
    troubles = [trouble for trouble in told if trouble]
    details: dict[str, Any] = {"made_at": found["made"], "verified_at": found["verified"]}
    return Finding(ok=not troubles, message="; ".join(troubles) or _fine(found["made"], now), details=details)


_AGE_MAX = dt.timedelta(hours=MAX_AGE_HOURS)
_DRILL_MAX = dt.timedelta(days=DRILL_DAYS_MAX)


def _overdue(what: str, last: dt.datetime | None, now: dt.datetime, most: dt.timedelta) -> str:
    if last is None or now - last <= most:
        return ""
    return f"{what} for {_long(now - last)}, at most {_long(most)} are allowed"


def _fine(made: dt.datetime | None, now: dt.datetime) -> str:
    return f"the last one is {_long(now - made)} old" if made else "none yet: `manage.py backup` makes one"


def _long(span: dt.timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
