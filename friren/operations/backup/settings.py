"""Every bound of backups, with its reason. What an operator may want to move is read from the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from django.conf import settings

from friren.environment import Environment

__all__ = [
    "CHUNK_BYTES",
    "COMPRESSION_LEVEL",
    "DAILY_DAYS",
    "DRILL_DAYS_MAX",
    "JSON_DAYS",
    "LOCK_SECONDS",
    "LOCK_WAIT",
    "MAX_AGE_HOURS",
    "MINIMUM",
    "MINIMUM_BASES",
    "PITR_DAYS",
    "WAL_LAG_SECONDS",
    "WEEKLY_DAYS",
    "decryption_key_file",
    "directory",
    "encryption_keys",
    "external_directory",
    "programs",
    "s3_url",
    "wal_directory",
]

env = Environment(os.environ)

# gzip, the one method that every pg_dump and pg_restore has; its first level is within a tenth of the ninth on
# tables of numbers, at a fifth of the time.
COMPRESSION_LEVEL: Final = 1
# What is read, hashed and written at a time.
CHUNK_BYTES: Final = 1024 * 1024
# How long pg_dump waits for a table that someone is altering, before it gives up.
LOCK_WAIT: Final = "30s"
# How long a backup waits for another one in the same folder: two that begin together are a mistake of the schedule.
LOCK_SECONDS: Final = 10.0
# How long backups are kept, in days: a month of days, half a year of weeks.
DAILY_DAYS: Final = env.integer("BACKUP_RETENTION_DAILY_DAYS", default=30, minimum=1, maximum=36_500)
WEEKLY_DAYS: Final = env.integer("BACKUP_RETENTION_WEEKLY_DAYS", default=182, minimum=1, maximum=36_500)
JSON_DAYS: Final = env.integer("BACKUP_RETENTION_JSON_DAYS", default=90, minimum=1, maximum=36_500)
# Sound backups that stay however old they are: when the schedule stops, or the clock runs away, some are left.
MINIMUM: Final = env.integer("BACKUP_RETENTION_MINIMUM", default=3, minimum=1, maximum=10_000)
# How far back every single moment can be restored: long enough to notice on Monday what went wrong the Friday before
# last.
PITR_DAYS: Final = env.integer("BACKUP_RETENTION_PITR_DAYS", default=14, minimum=1, maximum=36_500)
# Bases that stay, however old: should the newest turn out to be unusable, there is another.
MINIMUM_BASES: Final = env.integer("BACKUP_RETENTION_MINIMUM_BASES", default=2, minimum=1, maximum=1_000)
# From when on `health` calls it behind when WAL waits to be archived: five times the usual.
WAL_LAG_SECONDS: Final = env.integer("BACKUP_WAL_MAX_LAG", default=300, minimum=1, maximum=86_400)
# From when on `health` misses a backup: a daily one that is two hours late.
MAX_AGE_HOURS: Final = env.integer("BACKUP_MAX_AGE_HOURS", default=26, minimum=1, maximum=87_600)
# From when on it misses a drill: a weekly one that is a day late.
DRILL_DAYS_MAX: Final = env.integer("BACKUP_DRILL_MAX_DAYS", default=8, minimum=1, maximum=36_500)


def directory() -> Path:
    """Return the folder of the backups."""
    configured = env.text("BACKUP_DIR")
    return Path(configured).expanduser().absolute() if configured else Path(settings.FRIREN_HOME) / "backups"


def wal_directory() -> Path:
    """Return the folder of the WAL that is archived."""
    return Path(settings.BACKUP_WAL_DIR)


def external_directory() -> Path | None:
    """Return the folder on another disk or share that backups are copied to."""
    configured = env.text("BACKUP_EXTERNAL_DIR")
    return Path(configured).expanduser().absolute() if configured else None


def s3_url() -> str:
    """Return the bucket that backups are copied to, s3://bucket/prefix; "" for none."""
    return env.text("BACKUP_S3_URL")


def encryption_keys() -> list[str]:
    """Return the age public keys that backups are encrypted for; none means that they are not."""
    return env.items("BACKUP_ENCRYPTION_KEY")


def decryption_key_file() -> Path | None:
    """Return the file with the age private keys, needed to verify and restore what is encrypted."""
    configured = env.text("BACKUP_DECRYPTION_KEY_FILE")
    return Path(configured).expanduser().absolute() if configured else None


def programs() -> Path | None:
    """Return the folder of PostgreSQL's client programs, where an operator has named one."""
    configured = env.text("BACKUP_POSTGRES_BIN")
    return Path(configured).expanduser().absolute() if configured else None
