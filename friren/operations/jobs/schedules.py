"""The ground floor's schedules: what keeps a database safe, lean and proven."""

from __future__ import annotations

import os
from typing import Final

from friren.environment import Environment
from friren.operations.jobs.registry import register

__all__ = ["register_all"]

env = Environment(os.environ)

# They share a folder: a drill does not want its backup pruned away.
BACKUPS: Final = "backups"


def register_all() -> None:
    """Register them; what falls due at the same minute is begun in this order."""
    register(
        "partitions", "partitions",
        cron=env.text("SCHEDULE_PARTITIONS", default="10 0 * * *"), variable="SCHEDULE_PARTITIONS",
    )  # fmt: skip
    register(
        "replay", "replay", "--timeout", "60",
        cron=env.text("SCHEDULE_REPLAY", default="*/10 * * * *"), variable="SCHEDULE_REPLAY",
    )  # fmt: skip
    register(
        "seal_audit", "seal_audit",
        cron=env.text("SCHEDULE_SEAL_AUDIT", default="5 * * * *"), variable="SCHEDULE_SEAL_AUDIT", lock="audit",
    )  # fmt: skip
    register(
        "metrics", "metrics", "--record",
        cron=env.text("SCHEDULE_METRICS", default="*/15 * * * *"), variable="SCHEDULE_METRICS",
    )  # fmt: skip
    register(
        "backup_daily", "backup", "--kind", "daily",
        cron=env.text("SCHEDULE_BACKUP_DAILY", default="0 2 * * *"), variable="SCHEDULE_BACKUP_DAILY", lock=BACKUPS,
    )  # fmt: skip
    register(
        "backup_weekly", "backup", "--kind", "weekly",
        cron=env.text("SCHEDULE_BACKUP_WEEKLY", default="0 3 * * 0"), variable="SCHEDULE_BACKUP_WEEKLY", lock=BACKUPS,
    )  # fmt: skip
    # Off: of the whole server, and only where its WAL is archived.
    register(
        "backup_base", "backup", "--base",
        cron=env.text("SCHEDULE_BACKUP_BASE", default="off"), variable="SCHEDULE_BACKUP_BASE", lock=BACKUPS,
    )  # fmt: skip
    register(
        "backup_incremental", "backup", "--incremental",
        cron=env.text("SCHEDULE_BACKUP_INCREMENTAL", default="off"), variable="SCHEDULE_BACKUP_INCREMENTAL",
        lock=BACKUPS,
    )  # fmt: skip
    # Off too. It shares no lock: a base that takes hours is not to keep WAL from going elsewhere.
    register(
        "copy_wal", "copy_wal",
        cron=env.text("SCHEDULE_COPY_WAL", default="off"), variable="SCHEDULE_COPY_WAL",
    )  # fmt: skip
    register(
        "prune_backups", "prune_backups",
        cron=env.text("SCHEDULE_PRUNE_BACKUPS", default="30 3 * * *"), variable="SCHEDULE_PRUNE_BACKUPS", lock=BACKUPS,
    )  # fmt: skip
    register(
        "verify_backup", "verify_backup",
        cron=env.text("SCHEDULE_VERIFY_BACKUP", default="0 4 * * 0"), variable="SCHEDULE_VERIFY_BACKUP", lock=BACKUPS,
    )  # fmt: skip
    register(
        "maintain", "maintain",
        cron=env.text("SCHEDULE_MAINTAIN", default="30 4 * * *"), variable="SCHEDULE_MAINTAIN",
    )  # fmt: skip
    register(
        "archive", "archive",
        cron=env.text("SCHEDULE_ARCHIVE", default="0 1 * * 6"), variable="SCHEDULE_ARCHIVE",
    )  # fmt: skip
    register(
        "verify_audit", "verify_audit",
        cron=env.text("SCHEDULE_VERIFY_AUDIT", default="0 5 * * 0"), variable="SCHEDULE_VERIFY_AUDIT", lock="audit",
    )  # fmt: skip
    register(
        "health", "health",
        cron=env.text("SCHEDULE_HEALTH", default="20 * * * *"), variable="SCHEDULE_HEALTH", judged=False,
    )  # fmt: skip
