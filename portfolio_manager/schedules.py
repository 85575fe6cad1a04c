"""What this floor does by the clock."""

from __future__ import annotations

import os
from typing import Final

from friren.environment import Environment
from friren.operations import jobs

__all__ = ["register"]

env = Environment(os.environ)

# What is evaluated is what was collected.
DECIDING: Final = "deciding"


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
    # Without a watchlist there is nothing to collect, and without a strategy nobody to ask.
    jobs.register(
        "snapshots", "collect_snapshots",
        cron=env.text("SCHEDULE_SNAPSHOTS", default="2 * * * *"), variable="SCHEDULE_SNAPSHOTS", lock=DECIDING,
    )  # fmt: skip
    jobs.register(
        "strategies", "evaluate_strategies",
        cron=env.text("SCHEDULE_STRATEGIES", default="7 * * * *"), variable="SCHEDULE_STRATEGIES", lock=DECIDING,
    )  # fmt: skip
