"""
Which backups to keep: a pure function of what there is, the rules and the time.

Sons are the backups of days, fathers those of weeks. Where no weekly backup was made, the first daily one of the week
becomes its father. What a person asked for (manual, before a phase) only a person removes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from friren.operations.backup.settings import DAILY_DAYS, JSON_DAYS, MINIMUM, WEEKLY_DAYS
from friren.operations.choices import BackupKind

__all__ = ["KEPT_DAYS", "Candidate", "Plan", "Policy", "expiry", "plan_retention"]

KEPT_DAYS: Final[Mapping[str, int]] = {
    BackupKind.DAILY: DAILY_DAYS,
    BackupKind.WEEKLY: WEEKLY_DAYS,
    BackupKind.JSON_EXPORT: JSON_DAYS,
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    A backup as retention sees it.

    Attributes:
        kind: a BackupKind.
        at: when it was begun, UTC.
        sound: False for one that could not be restored, or came out other than it was dumped: it counts for nothing.
        verified: it was restored and compared.
    """

    id: str
    kind: str
    at: dt.datetime
    sound: bool = True
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """
    The rules.

    Attributes:
        days: how long a kind is kept; what is not named is kept until a person removes it.
        minimum: sound backups of the database that always stay, however old.
    """

    days: Mapping[str, int] = field(default_factory=lambda: KEPT_DAYS)
    minimum: int = MINIMUM


@dataclass(frozen=True, slots=True)
class Plan:
    """What is kept, each with the reason, and what is removed; by id."""

    keep: Mapping[str, str]
    remove: list[str]


def expiry(kind: str, at: dt.datetime) -> dt.datetime | None:
    """Return when a backup of a kind may be removed; None when only a person decides."""
    days = KEPT_DAYS.get(kind)
    return None if days is None else at + dt.timedelta(days=days)


def plan_retention(backups: Iterable[Candidate], *, now: dt.datetime, policy: Policy) -> Plan:
    """
    Return which of `backups` to keep and which to remove, oldest first.

    Kept is what is within the days of its kind or has none; the father of each week within the days of weekly backups;
    the newest that was verified; and the newest `policy.minimum` sound ones, JSON exports not counted.
    """
    found = sorted(backups, key=lambda one: (one.at, one.id))
    sound = [one for one in found if one.sound and one.kind != BackupKind.JSON_EXPORT]
    keep: dict[str, str] = {}
    for one in found:
        if one.kind not in policy.days:
            keep[one.id] = "until a person removes it"
        elif _within(one, policy.days[one.kind], now):
            keep[one.id] = f"{policy.days[one.kind]} days for its kind"
    for one in _fathers(sound):
        if _within(one, policy.days.get(BackupKind.WEEKLY, 0), now):
            keep.setdefault(one.id, "the first of its week")
    for one in [one for one in sound if one.verified][-1:]:
        keep.setdefault(one.id, "the newest that was verified")
    for one in sound[max(0, len(sound) - policy.minimum) :]:
        keep.setdefault(one.id, f"one of the last {policy.minimum}")
    return Plan(keep, [one.id for one in found if one.id not in keep])


def _within(one: Candidate, days: int, now: dt.datetime) -> bool:
    return now - one.at <= dt.timedelta(days=days)


def _fathers(sound: Iterable[Candidate]) -> list[Candidate]:
    """Return the first daily backup of each week (Monday to Sunday, UTC) that has no weekly one."""
    fathers: dict[tuple[int, int], Candidate] = {}
    served = set()
    for one in sound:
        week = one.at.astimezone(dt.UTC).isocalendar()[:2]
        if one.kind == BackupKind.WEEKLY:
            served.add(week)
        elif one.kind == BackupKind.DAILY:
            fathers.setdefault(week, one)
    return [one for week, one in fathers.items() if week not in served]
