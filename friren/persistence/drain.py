"""From journal to PostgreSQL: batches, each with its cursor in one transaction."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol
from uuid import UUID

from django.db import DatabaseError, InterfaceError, OperationalError, connections

from friren.persistence import settings
from friren.persistence.ahead import Readable, ReadAhead
from friren.persistence.batches import apply_batch, is_foundation, prepare
from friren.persistence.bell import Bell
from friren.persistence.clock import CLOCK, Clock
from friren.persistence.copy import is_refusal
from friren.persistence.cursors import Drained, FencedError, Moved, lock_cursor, move_cursor, read_cursor
from friren.persistence.handlers import MissingRowError, Verdict, one_commit
from friren.persistence.journal import Address
from friren.persistence.letters import Letter, dead_letter
from friren.persistence.meanwhile import meanwhile
from friren.persistence.models import DeadLetter
from friren.persistence.receipts import WriteOutcome
from friren.persistence.retry import sqlstate_of
from friren.persistence.waiting import ParentWaits

__all__ = ["Drained", "Drainer", "Source"]

log = logging.getLogger(__name__)

# Serialization failure, deadlock, lock not available: others work on the same rows, and will have finished.
CONTENTION: Final = frozenset({"40001", "40P01", "55P03"})
# Out of memory for locks, statement timeout: a batch over a thousand partitions, say. Half of it may pass.
TOO_MUCH: Final = frozenset({"53200", "57014"})


class Source(Readable, Protocol):
    """A journal to drain: a Journal, or the JournalReader of one that another process left."""

    producer: UUID
    address: Address

    def drained(self, seq: int) -> None:
        """Take note that every record up to `seq` is in PostgreSQL."""


class _WaitError(Exception):
    """Take the batch back: the record at `place` waits, and only what stands before it may be counted."""

    def __init__(self, place: int, waiting: int) -> None:
        self.place, self.waiting = place, waiting
        super().__init__()


class Drainer:
    """
    Moves one journal into one database.

    Any number of drainers may work on one journal, in one process or several: the cursor row decides.

    Args:
        source: the journal.
        using: alias of the database.
        batch_rows: records per transaction at most.
        adopter: the producer on whose behalf another's journal is drained; noted at the cursor.
    """

    def __init__(
        self,
        source: Source,
        *,
        using: str = "default",
        batch_rows: int = settings.DRAIN_BATCH_ROWS,
        adopter: UUID | None = None,
        clock: Clock = CLOCK,
    ) -> None:
        self._clock = clock
        self._source, self._using, self._adopter = source, using, adopter
        self._batch_rows = self._rows = batch_rows
        self._ahead = ReadAhead(source)
        self._seq: int | None = None
        self._position = 0
        self._waits = ParentWaits(clock.now)
        self._awake, self._hurried, self._stopping = Bell(), Bell(), threading.Event()

    @property
    def position(self) -> int:
        """Every record up to this number is stored, a duplicate or a dead letter, as far as this drainer knows."""
        return self._position

    def drain_once(self) -> Drained:
        """
        Move one batch. Runs on the calling thread's connection, outside any transaction.

        Raises:
            DatabaseError: the database is in trouble; the batch counts as not moved, the cursor tells the next time.
        """
        try:
            return self._drain_once()
        except BaseException as exc:
            # Whether a COMMIT that failed took place is known to the cursor alone.
            self._seq = None
            if not isinstance(exc, FencedError) and sqlstate_of(exc) not in CONTENTION:
                raise
        # Somebody else is at it: whatever is left is for the next time.
        return Drained(remaining=max(0, self._source.last_seq - self._at()))

    def _drain_once(self) -> Drained:
        at = self._at()
        letters = self._fitting(self._ahead.take(at + 1, self._rows))
        waiting = 0
        while letters:
            following = letters[-1].last_seq + 1
            try:
                with meanwhile(partial(self._ahead.get_ready, following, self._batch_rows)):
                    moved = self._move(at, letters)
            except _WaitError as wait:
                letters, waiting = letters[: wait.place], wait.waiting
                continue
            except DatabaseError as exc:
                if not is_refusal(exc) and (len(letters) == 1 or sqlstate_of(exc) not in TOO_MUCH):
                    raise
                # No fact of the batch was found at fault, and yet it is refused: look at it more closely.
                if len(letters) > 1:
                    self._rows = max(1, len(letters) // 2)
                    return Drained(remaining=self._source.last_seq - at)
                moved = self._give_up(at, letters[0], exc)
            if not waiting:
                self._waits.clear()
            self._rows = self._batch_rows
            self._source.drained(self._at())
            remaining = max(0, self._source.last_seq - self._at())
            return Drained(moved.stored, moved.duplicates, moved.dead_lettered, remaining, waiting)
        return Drained(remaining=max(0, self._source.last_seq - at), waiting=waiting)

    def drain_all(self, *, timeout: float | None = None, ended: Callable[[], bool] = lambda: False) -> Drained:
        """
        Move batches until nothing is left, all that is left waits for a parent, or `timeout` seconds are over.

        Args:
            ended: asked after each batch; once it is true the rest is left.
        """
        until = None if timeout is None else self._clock.now() + timeout
        total = Drained()
        while until is None or self._clock.now() < until:
            rows, seq = self._rows, self._seq
            total = total.then(self.drain_once())
            if ended() or not total.remaining or (total.waiting and self._seq == seq):
                break
            if self._seq == seq and self._rows == rows and not self._source.read(self._at() + 1, 1):
                break  # what remains is not written whole yet
        return total

    def run(self) -> None:
        """Drain until `stop`; for a thread of its own. Trouble with the database is waited out, never raised."""
        pause, told, clock = 0.0, "", self._clock
        while not clock.wait(self._stopping, pause):
            self._awake.clear()
            began, last_seq = clock.now(), self._source.last_seq
            try:
                done = self.drain_once()
            except Exception as exc:  # whatever it is, the journal must be drained once it is over
                said = " ".join(str(exc).split())
                if said != told:
                    # The recorder speaks of a database that is away; what is told here is told once.
                    level = logging.INFO if isinstance(exc, InterfaceError | OperationalError) else logging.ERROR
                    log.log(level, "the journal cannot be drained now: %s", said, exc_info=level > logging.INFO)
                # Django does not reconnect a thread that serves no requests.
                connections[self._using].close()
                pause, told = settings.DRAIN_RETRY_SECONDS_MAX * clock.jitter(), said
                continue
            told = ""
            if done.moved:
                pause = 0.0
                if self._gathers(done, came=self._source.last_seq - last_seq):
                    took = clock.now() - began
                    pause_max = settings.DRAIN_GATHER_SECONDS_MAX
                    clock.wait(self._hurried, min(settings.DRAIN_GATHER_SHARE * took, pause_max))
                    self._hurried.clear()
            elif done.waiting:
                pause = settings.DRAIN_WAIT_SECONDS
            else:
                # Appends that come close together become one batch.
                clock.wait(self._awake, settings.DRAIN_IDLE_SECONDS)
                pause = settings.DRAIN_LINGER_SECONDS
        connections[self._using].close()

    def _gathers(self, done: Drained, *, came: int) -> bool:
        """Return whether records are let gather after a batch, during which `came` more were written."""
        if done.remaining < self._batch_rows:
            return True  # they become a larger batch
        # Who writes as fast as that is at work on this interpreter, and done sooner when it has it.
        busy = came >= done.moved * settings.DRAIN_BUSY_SHARE
        return busy and done.remaining < settings.DRAIN_BEHIND_ROWS_MAX

    def wake(self) -> None:
        """Something was appended: do not wait for the next look. Cheap enough for every append."""
        self._awake.set()

    def hurry(self) -> None:
        """Somebody waits for what was appended: do not let more gather."""
        self._hurried.set()
        self.wake()

    def stop(self) -> None:
        """Let `run` return after the batch it is at. Safe from any thread and to call twice."""
        self._stopping.set()
        self._hurried.set()
        self._awake.set()

    def _at(self) -> int:
        """Return where the cursor stands."""
        if self._seq is None:
            self._note(read_cursor(self._source.producer, label=str(self._source.address), using=self._using))
        return self._position

    def _note(self, seq: int) -> None:
        self._seq = self._position = seq

    @staticmethod
    def _fitting(letters: list[Letter]) -> list[Letter]:
        """Cut the batch so that what other facts are prepared with (accounts) is committed before them."""
        foundations = [letter.fact is not None and is_foundation(letter.fact) for letter in letters]
        if True not in foundations:
            return letters
        first = foundations.index(True)
        if first:
            return letters[:first]
        return letters[: foundations.index(False)] if False in foundations else letters

    def _move(self, at: int, letters: list[Letter]) -> Moved:
        """Store a batch and move the cursor past it, in one transaction. Raises _WaitError, FencedError."""
        producer = self._source.producer
        facts = [letter.fact for letter in letters if letter.fact is not None]
        prepare(facts, using=self._using)
        moved = Moved()
        with one_commit(self._using):
            lock_cursor(producer, at, using=self._using)
            verdicts = iter(apply_batch(facts, using=self._using, producer=producer))
            outcomes = [letter.error if letter.fact is None else next(verdicts) for letter in letters]
            self._wait_for_parents(outcomes)
            self._count(producer, letters, outcomes, moved)
            seq = move_cursor(producer, at, moved, adopter=self._adopter, using=self._using)
        self._note(seq)
        return moved

    def _wait_for_parents(self, outcomes: list[Verdict | Exception | None]) -> None:
        waiting = [
            place
            for place, outcome in enumerate(outcomes)
            if isinstance(outcome, MissingRowError) and self._waits.worth_waiting(outcome)
        ]
        if waiting:
            raise _WaitError(waiting[0], len(waiting))

    def _count(
        self, producer: UUID, letters: list[Letter], outcomes: list[Verdict | Exception | None], moved: Moved
    ) -> None:
        dead = []
        for letter, outcome in zip(letters, outcomes, strict=True):
            if outcome is WriteOutcome.STORED:
                moved.stored += 1
            elif outcome is WriteOutcome.DUPLICATE:
                moved.duplicates += 1
            else:
                moved.dead_lettered += letter.count
                error = outcome if isinstance(outcome, Exception) else RuntimeError(f"its handler said {outcome}")
                dead.append(dead_letter(producer, letter, error))
        if dead:
            log.warning("%d records of %s went to the dead letters: %s", len(dead), producer, dead[0].error)
            DeadLetter.objects.using(self._using).bulk_create(dead, batch_size=500)

    def _give_up(self, at: int, letter: Letter, exc: DatabaseError) -> Moved:
        moved = Moved()
        with one_commit(self._using):
            lock_cursor(self._source.producer, at, using=self._using)
            self._count(self._source.producer, [letter], [exc], moved)
            seq = move_cursor(self._source.producer, at, moved, adopter=self._adopter, using=self._using)
        self._note(seq)
        return moved
