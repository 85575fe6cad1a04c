"""What this floor does by the clock."""

from __future__ import annotations

import os

from friren.environment import Environment
from friren.operations import jobs

__all__ = ["register"]

env = Environment(os.environ)


def register() -> None:
    """Register the schedules of this floor."""
    jobs.register(
        "books", "rebuild_positions", "--check",
        cron=env.text("SCHEDULE_BOOKS", default="0 6 * * 0"), variable="SCHEDULE_BOOKS",
    )  # fmt: skip
    jobs.register(
        "rejected_ideas", "evaluate_rejected",
        cron=env.text("SCHEDULE_REJECTED_IDEAS", default="45 6 * * *"), variable="SCHEDULE_REJECTED_IDEAS",
    )  # fmt: skip
