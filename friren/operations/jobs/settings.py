"""Every bound of schedules, with its reason."""

from __future__ import annotations

import os
from typing import Final

from friren.environment import Environment

__all__ = [
    "ATTEMPTS_MAX",
    "CATCH_UP_SECONDS",
    "CONCURRENCY",
    "END_SECONDS",
    "GRACE_SECONDS",
    "HEARTBEAT_SECONDS",
    "KEPT_DAYS",
    "LATE_SECONDS",
    "LOST_SECONDS",
    "POLL_SECONDS",
    "RESCUE_CRON",
    "RETURN_SECONDS",
    "RUNNING_SECONDS",
]

env = Environment(os.environ)

# Two at a time: a backup that takes hours does not keep the next seal from being made.
CONCURRENCY: Final = env.integer("FRIREN_WORKER_CONCURRENCY", default=2, minimum=1, maximum=64)
# How long a worker that is told to end waits for what it runs. Supervisors kill after 90 s, by their own defaults.
GRACE_SECONDS: Final = env.seconds("FRIREN_WORKER_GRACE", default=60.0)
# How long a command that is told to end may take to put back what it has begun, before it is killed.
END_SECONDS: Final = 10.0
# How often a worker looks whether its command has ended, or has to be ended.
POLL_SECONDS: Final = 0.2
# A worker says so often that it lives, and is taken for dead when it has not for so long: two of its words lost.
HEARTBEAT_SECONDS: Final = 10.0
LOST_SECONDS: Final = 30.0
# When a worker looks for the jobs of dead ones.
RESCUE_CRON: Final = "* * * * *"
# A job whose worker died under it is run once more. One that takes its worker down each time must not go on for ever.
ATTEMPTS_MAX: Final = 2
# What fell due while no worker ran is made up for, once, when it is no older: a weekly one, a day late.
CATCH_UP_SECONDS: Final = 8 * 86_400
# A worker that has lost its database tries again after so long.
RETURN_SECONDS: Final = 5.0
# How long runs are kept; the last success of each schedule stays.
KEPT_DAYS: Final = 90
# From when on `health` misses a run: as late as a backup may be. One that is running is not missed for half a day.
LATE_SECONDS: Final = 2 * 3600
RUNNING_SECONDS: Final = 12 * 3600
