"""The cursor of a journal: read, locked, and moved in the transaction of what it counts."""

from __future__ import annotations

import dataclasses
from uuid import UUID

from django.db import connections
from django.utils import timezone

from friren.persistence.models import JournalCursor

__all__ = ["Drained", "FencedError", "Moved", "lock_cursor", "move_cursor", "read_cursor"]


class FencedError(Exception):
    """Another drainer has moved the cursor: begin again from where it stands."""


@dataclasses.dataclass(slots=True)
class Moved:
    """Records by outcome."""

    stored: int = 0
    duplicates: int = 0
    dead_lettered: int = 0

    @property
    def total(self) -> int:
        """How many they are."""
        return self.stored + self.duplicates + self.dead_lettered


@dataclasses.dataclass(frozen=True, slots=True)
class Drained:
    """
    What one or more batches came to.

    Attributes:
        stored, duplicates, dead_lettered: records that left the journal, by outcome.
        remaining: records still in it.
        waiting: those among them that were looked at and wait for a row they refer to.
    """

    stored: int = 0
    duplicates: int = 0
    dead_lettered: int = 0
    remaining: int = 0
    waiting: int = 0

    @property
    def moved(self) -> int:
        """How many records left the journal."""
        return self.stored + self.duplicates + self.dead_lettered

    def then(self, later: Drained) -> Drained:
        """Return the sum of this and what came after it."""
        return Drained(
            self.stored + later.stored,
            self.duplicates + later.duplicates,
            self.dead_lettered + later.dead_lettered,
            later.remaining,
            later.waiting,
        )


def read_cursor(producer: UUID, *, label: str, using: str) -> int:
    """Return up to which number a producer's records are drained; its cursor is made when there is none."""
    cursors = JournalCursor.objects.using(using)
    found = cursors.filter(producer=producer).values_list("seq", flat=True).first()
    if found is None:
        cursors.bulk_create([JournalCursor(producer=producer, label=label[:255])], ignore_conflicts=True)
        found = cursors.values_list("seq", flat=True).get(producer=producer)
    return int(found)


def lock_cursor(producer: UUID, seq: int, *, using: str) -> None:
    """Hold the cursor, which must stand at `seq`, to the end of the transaction. Raises FencedError."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT seq FROM persistence_journalcursor WHERE producer = %s FOR NO KEY UPDATE", [producer])
        row = cursor.fetchone()
    if row is None or row[0] != seq:
        raise FencedError(f"the cursor of {producer} stands at {row and row[0]}, not at {seq}")


def move_cursor(producer: UUID, seq: int, moved: Moved, *, adopter: UUID | None, using: str) -> int:
    """Move the cursor past what was counted, by compare-and-set; return where it stands then. Raises FencedError."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "UPDATE persistence_journalcursor SET seq = seq + %s, stored = stored + %s, duplicates = duplicates + %s, "
            "dead_lettered = dead_lettered + %s, adopted_by = coalesce(%s, adopted_by), updated_at = %s "
            "WHERE producer = %s AND seq = %s RETURNING seq",
            [
                moved.total, moved.stored, moved.duplicates, moved.dead_lettered, adopter, timezone.now(),
                producer, seq,
            ],
        )  # fmt: skip
        row = cursor.fetchone()
    if row is None:
        raise FencedError(f"the cursor of {producer} no longer stands at {seq}")
    return int(row[0])
