"""Whether WAL is archived as it is written: what a disaster would cost, were it now."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.db import connection

from friren.archive_wal import segment_number
from friren.operations.backup.settings import WAL_LAG_SECONDS
from friren.operations.backup.wal import is_segment
from friren.operations.choices import RunStatus
from friren.operations.health.registry import Finding, register
from friren.operations.models import BackupRecord

__all__ = ["check_wal", "register_all"]

_ARCHIVER: Final = """
    SELECT current_setting('archive_mode'), pg_is_in_recovery(), last_archived_wal,
           extract(epoch FROM clock_timestamp() - last_archived_time)::float,
           last_failed_wal, last_failed_time > coalesce(last_archived_time, '-infinity'),
           extract(epoch FROM clock_timestamp() - stats_reset)::float,
           (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'),
           (SELECT setting::int FROM pg_settings WHERE name = 'archive_timeout')
    FROM pg_stat_archiver
"""
_POSITION: Final = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
# What a server writes by itself while nobody works: no reason for it to end a segment.
_IDLE_BYTES: Final = 8192


def register_all() -> None:
    """Register the check of this module."""
    # A server whose archive is full still serves.
    register("wal", check_wal, thorough=True)


def check_wal() -> Finding:
    """
    Ask the server what it has archived. Red: the last attempt failed, WAL has waited too long, or none would ever go.

    Where none is archived and none was asked for all is well: daily dumps are what is to be lost.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ARCHIVER)
        mode, replica, last, since, failed, failing, counted, size, timeout = cursor.fetchone()
        wanted = getattr(settings, "FRIREN_WAL_ARCHIVE", False)
        if mode == "off" or replica:
            message = (
                "FRIREN_WAL_ARCHIVE is set and the server does not archive: restart it (`manage.py embedded stop`)"
            )
            fine = "a replica: its primary archives" if replica else "WAL is not archived: a disaster costs what is "
            fine += "" if replica else "newer than the last backup"
            asked = wanted and not replica
            return Finding(ok=not asked, message=message if asked else fine, details={"archive_mode": mode})
        cursor.execute(_POSITION)
        (position,) = cursor.fetchone()
    kept = (last or "").partition(".")[0]
    behind = int(position) - (segment_number(kept, size) + 1) * size if is_segment(kept) else int(position)
    # Since the end of what is archived something was written: at most so long ago.
    rpo = round(since if since is not None else counted or 0.0, 1) if behind > _IDLE_BYTES else 0.0
    troubles = []
    if failing:
        troubles.append(f"{failed} could not be archived: the server's log says why")
    if behind >= size and rpo > WAL_LAG_SECONDS:
        troubles.append(f"{behind // size} segments wait to be archived, the first for {rpo:.0f} s")
    if not 0 < timeout <= WAL_LAG_SECONDS:
        troubles.append(
            f"archive_timeout is {timeout} s: set it to 1 to {WAL_LAG_SECONDS}, or a quiet hour is archived late"
        )
    bases = BackupRecord.objects.filter(format="base", status__in=(RunStatus.COMPLETED, RunStatus.VERIFIED)).count()
    told = f"archived up to {kept or 'nothing yet'}; a disaster now costs {rpo:.0f} s" + (
        "" if bases or not wanted else "; there is no base yet: `manage.py backup --base`"
    )
    details: dict[str, Any] = {
        "last_archived": last, "behind_bytes": max(behind, 0), "rpo_seconds": rpo, "archive_timeout": timeout,
        "bases": bases,
    }  # fmt: skip
    return Finding(ok=not troubles, message="; ".join(troubles) or told, details=details)
