"""What callers were told, against what the database holds: lost, duplicate, spurious, corrupt, out of order."""

from __future__ import annotations

import collections
import dataclasses
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Call", "Findings", "Row", "Told", "check", "read_history"]


class Told(enum.Enum):
    """How a call ended, as far as its caller knows."""

    OK = "ok"  # acknowledged: it must be there
    FAILED = "failed"  # refused by an exception: it must not be there
    UNKNOWN = "unknown"  # the process died in it: it may be there


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """
    One logger call. Calls about the same entity were made one after another.

    Attributes:
        outcome: what it was told, or the error it raised.
        at: when, by time.monotonic().
    """

    key: str
    told: Told
    entity: str = ""
    outcome: str = ""
    at: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """What the database holds of a call; rows of one entity are compared in the order of `number`."""

    key: str
    content: Any
    number: int


@dataclasses.dataclass(slots=True)
class Findings:
    """What is wrong, by the keys of the calls, and how much was looked at."""

    lost: list[str] = dataclasses.field(default_factory=list)
    duplicate: list[str] = dataclasses.field(default_factory=list)
    spurious: list[str] = dataclasses.field(default_factory=list)
    corrupt: list[str] = dataclasses.field(default_factory=list)
    disordered: list[str] = dataclasses.field(default_factory=list)
    acknowledged: int = 0
    unknown: int = 0
    unknown_stored: int = 0
    failed: int = 0

    @property
    def violations(self) -> dict[str, int]:
        """How many of each kind there are, those there are none of left out."""
        kinds = ("lost", "duplicate", "spurious", "corrupt", "disordered")
        return {kind: len(getattr(self, kind)) for kind in kinds if getattr(self, kind)}

    def __str__(self) -> str:
        found = "; ".join(f"{kind} {count}: {getattr(self, kind)[:3]}" for kind, count in self.violations.items())
        looked = f"{self.acknowledged} acknowledged, {self.unknown} unknown ({self.unknown_stored} of them stored)"
        return f"{looked}; {found or 'nothing lost, duplicate, spurious, corrupt or out of order'}"


def check(calls: Sequence[Call], rows: Iterable[Row], *, expected: Callable[[str], Any]) -> Findings:
    """
    Judge what is stored by what was told.

    Args:
        expected: the content that a call was to store, by its key.
    """
    found = Findings()
    told = {call.key: call for call in calls}
    stored: dict[str, list[Row]] = collections.defaultdict(list)
    for row in rows:
        stored[row.key].append(row)
    for call in calls:
        there = call.key in stored
        found.acknowledged += call.told is Told.OK
        found.failed += call.told is Told.FAILED
        found.unknown += call.told is Told.UNKNOWN
        found.unknown_stored += call.told is Told.UNKNOWN and there
        if call.told is Told.OK and not there:
            found.lost.append(call.key)
    for key, copies in stored.items():
        if key not in told or told[key].told is Told.FAILED:
            found.spurious.append(key)
        elif any(row.content != expected(key) for row in copies):
            found.corrupt.append(key)
        if len(copies) > 1:
            found.duplicate.append(key)
    found.disordered = _disordered(calls, stored)
    return found


def _disordered(calls: Sequence[Call], stored: Mapping[str, list[Row]]) -> list[str]:
    """Return the entities whose rows stand in another order than their calls were made in."""
    numbers: dict[str, list[int]] = collections.defaultdict(list)
    for call in calls:
        if call.entity and call.key in stored:
            numbers[call.entity].append(stored[call.key][0].number)
    return [entity for entity, found in numbers.items() if found != sorted(found)]


def read_history(path: Path, *, entity_of: Callable[[str], str]) -> list[Call]:
    """
    Return the calls that a process wrote down: "A key" before each, "K key outcome moment" or "E key error" after it.

    The last line may be torn: the process was killed while it wrote it, so its call was not acknowledged.
    """
    calls: dict[str, Call] = {}
    for line in path.read_text().split("\n")[:-1]:
        what, key, *more = line.split(" ", 2)
        outcome = more[0] if more else ""
        told, at = {"A": Told.UNKNOWN, "K": Told.OK, "E": Told.FAILED}[what], 0.0
        if told is Told.OK:
            outcome, _, moment = outcome.partition(" ")
            at = float(moment)
        calls[key] = Call(key, told, entity_of(key), outcome, at)
    return list(calls.values())
