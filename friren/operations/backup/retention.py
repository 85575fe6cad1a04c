"""
Which backups to keep: a pure function of what there is, the rules and the time.

Sons are the backups of days, fathers those of weeks. Where no weekly backup was made, the first daily one of the week
becomes its father. What a person asked for (manual, before a phase) only a person removes.

Backups of the whole server are kept for a window in which every moment can be restored: all that were made in it, and
the newest from before, from which its first moment is reached. What an incremental one builds on stays with it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from friren.operations.backup.settings import (
    DAILY_DAYS,
    JSON_DAYS,
    MINIMUM,
    MINIMUM_BASES,
    PITR_DAYS,
    WEEKLY_DAYS,
)
from friren.operations.choices import BackupKind

__all__ = ["BASE", "INCREMENTAL", "KEPT_DAYS", "Candidate", "Plan", "Policy", "chain_of", "expiry", "plan_retention"]

# What a backup of the whole server is, in place of a BackupKind.
BASE: Final = "BASE"
INCREMENTAL: Final = "INCREMENTAL"

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
        kind: a BackupKind, BASE or INCREMENTAL.
        at: when it was begun, UTC; one of the whole server: from when on every moment can be reached from it.
        sound: False for one that could not be restored, or came out other than it was dumped: it counts for nothing.
        verified: it was restored and compared.
        parent: what an incremental one builds on. "" where only names are known: the one before it.
    """

    id: str
    kind: str
    at: dt.datetime
    sound: bool = True
    verified: bool = False
    parent: str = ""

    @property
    def physical(self) -> bool:
        """Whether it is of the whole server."""
        return self.kind in {BASE, INCREMENTAL}


@dataclass(frozen=True, slots=True)
class Policy:
    """
    The rules.

    Attributes:
        days: how long a kind is kept; what is not named is kept until a person removes it.
        minimum: sound backups of the database that always stay, however old.
        window_days: how far back every moment can be restored.
        bases: sound bases that always stay, however old.
    """

    days: Mapping[str, int] = field(default_factory=lambda: KEPT_DAYS)
    minimum: int = MINIMUM
    window_days: int = PITR_DAYS
    bases: int = MINIMUM_BASES


@dataclass(frozen=True, slots=True)
class Plan:
    """What is kept, each with the reason, and what is removed, what builds on others before these; by id."""

    keep: Mapping[str, str]
    remove: list[str]


def expiry(kind: str, at: dt.datetime) -> dt.datetime | None:
    """Return when a backup of a kind may be removed; None when only a person decides."""
    days = KEPT_DAYS.get(kind)
    return None if days is None else at + dt.timedelta(days=days)


def plan_retention(backups: Iterable[Candidate], *, now: dt.datetime, policy: Policy) -> Plan:
    """
    Return which of `backups` to keep and which to remove.

    Kept is what is within the days of its kind or has none; the father of each week within the days of weekly backups;
    the newest that was verified; and the newest `policy.minimum` sound ones, JSON exports not counted.
    """
    every = sorted(backups, key=lambda one: (one.at, one.id))
    found, physical = [one for one in every if not one.physical], [one for one in every if one.physical]
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
    keep |= _kept_physical(physical, now, policy)
    return Plan(keep, [one.id for one in [*found, *reversed(physical)] if one.id not in keep])


def chain_of(one: Candidate, others: Sequence[Candidate]) -> list[Candidate] | None:
    """
    Return what a backup of the whole server is restored from, its base first; None when a link is missing or unsound.

    Args:
        others: all of them, sorted by time.
    """
    by_id = {other.id: place for place, other in enumerate(others)}
    chain = [one]
    while one.sound:
        if one.kind == BASE:
            return chain[::-1]
        place = by_id[one.id]
        before = by_id.get(one.parent, place) if one.parent else place - 1
        if not 0 <= before < place:
            return None
        one = others[before]
        chain.append(one)
    return None


def _kept_physical(found: Sequence[Candidate], now: dt.datetime, policy: Policy) -> dict[str, str]:
    reach = now - dt.timedelta(days=policy.window_days)
    chains = {one.id: chain for one in found if (chain := chain_of(one, found))}
    usable = [one for one in found if one.id in chains]
    keep = {one.id: f"every moment of {policy.window_days} days" for one in found if one.at >= reach}
    for one in [one for one in usable if one.at <= reach][-1:]:
        keep.setdefault(one.id, f"the way to the first of {policy.window_days} days")
    for one in [one for one in usable if one.verified][-1:]:
        keep.setdefault(one.id, "the newest that was verified")
    for one in [one for one in usable if one.kind == BASE][-policy.bases :]:
        keep.setdefault(one.id, f"one of the last {policy.bases} bases")
    for one in [one for one in usable if one.id in keep]:
        for link in chains[one.id]:
            keep.setdefault(link.id, "what another builds on")
    return keep


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
