"""Cron lines, by the same library that the queue goes by."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from croniter import CroniterError, croniter

from friren.errors import ConfigurationError, shown
from friren.operations.jobs.registry import Schedule

__all__ = ["check", "following"]

# croniter also takes words such as @daily, and fields that are drawn by lot: each worker would draw its own.
_FIELD: Final = r"([0-9*][0-9*,/-]*|[A-Za-z]{3}([,-][A-Za-z]{3})*)"
_LINE: Final = re.compile(f"{_FIELD}( {_FIELD}){{4,5}}")


def check(schedule: Schedule) -> None:
    """
    Refuse a cron line that nothing falls due by.

    Raises:
        ConfigurationError: it names the variable.
    """
    if not _LINE.fullmatch(schedule.cron) or not _falls_due(schedule.cron):
        raise ConfigurationError(
            f"{schedule.variable}={shown(schedule.cron)}: write minute, hour, day, month and weekday in UTC, "
            "such as 0 2 * * *, or off"
        )


def _falls_due(line: str) -> bool:
    try:
        croniter(line, 0.0).get_next(float)
    except CroniterError:
        return False
    return True


def following(schedule: Schedule, at: dt.datetime) -> dt.datetime | None:
    """Return the first moment after `at` at which a schedule falls due, UTC; None when it never does."""
    if not schedule.cron:
        return None
    return dt.datetime.fromtimestamp(croniter(schedule.cron, at.timestamp()).get_next(float), dt.UTC)
