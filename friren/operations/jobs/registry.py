"""The schedules that are registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["OFF", "QUEUE", "Schedule", "register", "registered"]

# What a cron line says that never falls due. Not an empty one: `NAME=` is how .env files and containers write
# "not set", and backups must not end by that.
OFF: Final = "off"
# Where jobs wait unless their schedule names another queue.
QUEUE: Final = "operations"


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    A command and when it is run.

    Attributes:
        command: as after `manage.py`.
        cron: five fields (minute, hour, day, month, weekday), or six with the second last; in UTC. "" is never.
        variable: of the environment, that sets the cron line.
        lock: of the schedules with the same one at most one runs at a time, on all machines together.
        queue: which workers take it.
        judged: whether `health` tells of a failed run. Not where the command only says what `health` says anyway:
            it would fail for having failed.
    """

    name: str
    command: tuple[str, ...]
    cron: str
    variable: str
    lock: str
    queue: str = QUEUE
    judged: bool = True


_schedules: dict[str, Schedule] = {}


def register(
    name: str,
    *command: str,
    cron: str,
    variable: str,
    lock: str = "",
    queue: str = QUEUE,
    judged: bool = True,
) -> None:
    """Add a schedule under a name of its own, or replace it. What the arguments mean is said at `Schedule`."""
    line = "" if cron.strip().lower() == OFF else " ".join(cron.split())
    _schedules[name] = Schedule(name, command, line, variable, lock or name, queue, judged)


def registered() -> Mapping[str, Schedule]:
    """Return the schedules by name, those that are off too, in the order in which they were registered."""
    return _schedules
