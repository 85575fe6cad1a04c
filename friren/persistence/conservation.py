"""
The account of everything that was accepted: nothing is lost, nothing counts twice.

    last number = stored + duplicates + dead-lettered + backlog        for every producer

The first three are the cursor's; the last number is found by reading the journal. Nothing is counted beside them.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from uuid import UUID

from friren.persistence.engines import existing
from friren.persistence.journal import Address, journals_of
from friren.persistence.models import DeadLetter, JournalCursor

__all__ = ["ProducerAccount", "WritePath", "buffered_here", "journaled", "write_path"]


@dataclasses.dataclass(frozen=True, slots=True)
class ProducerAccount:
    """
    The account of one producer.

    Attributes:
        alive: whether its process runs; None when its journal is gone, being drained.
        ahead: records that were stored and are no longer in the journal's files: a power cut took what was not synced.
    """

    producer: UUID
    last_seq: int
    stored: int
    duplicates: int
    dead_lettered: int
    alive: bool | None
    ahead: int

    @property
    def backlog(self) -> int:
        """Records that are not dealt with yet."""
        return self.last_seq - self.stored - self.duplicates - self.dead_lettered


@dataclasses.dataclass(frozen=True, slots=True)
class WritePath:
    """
    The account of all producers of a database, as far as this machine sees.

    Attributes:
        buffered: records in this process's memory, which neither database nor disk has taken.
        open_letters: dead letters that nobody has dealt with.
    """

    producers: tuple[ProducerAccount, ...]
    buffered: int
    open_letters: int

    def total(self, name: str) -> int:
        """Return the sum of one figure over all producers."""
        return sum(getattr(producer, name) for producer in self.producers)


def write_path(root: Path, address: Address, *, using: str = "default") -> WritePath:
    """
    Account for every record.

    Raises:
        DatabaseError: the database does not answer.
    """
    # The cursors first: what is appended meanwhile is backlog, and the account still balances.
    cursors = {cursor.producer: cursor for cursor in JournalCursor.objects.using(using)}
    readers = {reader.producer: reader for reader in journals_of(root, address)}
    accounts = []
    for producer in sorted(cursors.keys() | readers.keys()):
        cursor = cursors.get(producer) or JournalCursor(producer=producer)
        reader = readers.get(producer)
        found = reader.last_seq if reader is not None else 0
        accounts.append(
            ProducerAccount(
                producer=producer,
                last_seq=max(found, cursor.seq),
                stored=cursor.stored,
                duplicates=cursor.duplicates,
                dead_lettered=cursor.dead_lettered,
                alive=reader.alive if reader is not None else None,
                ahead=max(0, cursor.seq - found) if found else 0,
            )
        )
    return WritePath(
        tuple(accounts),
        buffered=buffered_here(),
        open_letters=DeadLetter.objects.using(using).filter(resolved_at__isnull=True).count(),
    )


def journaled(root: Path, address: Address) -> int:
    """Return how many records the journals of this machine hold for a database, asking nothing but the disk."""
    return sum(reader.last_seq for reader in journals_of(root, address))


def buffered_here() -> int:
    """Return how many records are in this process's memory alone."""
    return sum(len(engine.buffer) for engine in existing())
