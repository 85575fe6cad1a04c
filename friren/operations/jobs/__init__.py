"""
What is done by the clock. Upper floors add theirs:

    from friren.operations.jobs import register

    register("books", "rebuild_positions", "--check", cron=…, variable="SCHEDULE_BOOKS")     # in AppConfig.ready()

A schedule is a command of `manage.py` and a cron line. `manage.py worker` runs what is due; procrastinate, which it
stands on, is imported there and nowhere else: it would make every start of Friren longer by a fifth.
"""

from __future__ import annotations

from friren.operations.jobs.registry import Schedule, register, registered

__all__ = ["Schedule", "register", "registered"]
