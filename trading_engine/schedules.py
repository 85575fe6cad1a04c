"""What this floor does by the clock."""

from __future__ import annotations

import os

from friren.environment import Environment
from friren.operations import jobs

__all__ = ["register"]

env = Environment(os.environ)


def register() -> None:
    """Register the schedules of this floor."""
    # Off: it asks somebody else's service, which is for people to decide.
    jobs.register(
        "sync_nof1", "sync_nof1",
        cron=env.text("SCHEDULE_SYNC_NOF1", default="off"), variable="SCHEDULE_SYNC_NOF1",
    )  # fmt: skip
