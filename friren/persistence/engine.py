"""
What stands behind the recorders of one process: connections, circuit, journal, drainer, and memory.

One engine per process and database alias, made when the first record comes. A forked child makes its own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from django.conf import settings
from django.db import connections

from friren.core.ids import new_id
from friren.errors import StopTradingError
from friren.persistence.adoption import keep_adopting
from friren.persistence.aliases import alias_of
from friren.persistence.bell import Bell
from friren.persistence.buffer import Buffer, Buffered
from friren.persistence.circuit import Circuit
from friren.persistence.clock import CLOCK, Clock
from friren.persistence.codec import encode
from friren.persistence.direct import Direct, line
from friren.persistence.drain import Drainer
from friren.persistence.facts import Fact
from friren.persistence.journal import Address, Journal, JournalUnavailableError
from friren.persistence.policies import KindPolicy, policy_of
from friren.persistence.receipts import Receipt, WriteOutcome
from friren.persistence.relief import relieve
from friren.persistence.settings import (
    BACKLOG_SHARE,
    CALL_DEADLINE_SECONDS,
    CLOSE_SECONDS,
    PATIENT_DEADLINE_SECONDS,
    READ_PROBE_SECONDS,
    RELIEF_SECONDS,
)

__all__ = ["Engine"]

log = logging.getLogger(__name__)
Result = TypeVar("Result")

# How often a flush, or a read that waits for a probe, looks again, when nothing tells it.
FLUSH_LOOK_SECONDS: Final = 0.005


class Engine:
    """
    The machinery of one process for one database. Safe from any thread.

    Args:
        using: alias of the database.
        root: where journals lie; FRIREN_HOME/journal unless given.
        deadline: seconds that a call in direct mode may take.
        direct: makes what runs the calls.
    """

    def __init__(
        self,
        using: str,
        *,
        root: Path | None = None,
        deadline: float = CALL_DEADLINE_SECONDS,
        direct: Callable[..., Direct] = Direct,
        clock: Clock = CLOCK,
    ) -> None:
        self.using, self.clock = using, clock
        self.root = root or Path(settings.FRIREN_HOME) / "journal"
        self.address = Address.of(connections.settings[using])
        self.circuit = Circuit(clock=clock.now, jitter=clock.jitter)
        self.buffer = Buffer()
        # Kept with the rows it inserts, and the number of its journal, should it come to have one.
        self.producer = new_id()
        common = {"producer": self.producer, "circuit": self.circuit, "clock": clock}
        direct = partial(direct, using, wake=self._wake, failed=self._connection_failed, **common)
        self._writes = direct(alias_of(using, "writes"), deadline=deadline)
        self._patient = direct(alias_of(using, "patient"), deadline=PATIENT_DEADLINE_SECONDS)
        self._lock = threading.Lock()
        self._journal: Journal | None = None
        self._drainer: Drainer | None = None
        self._threads: list[threading.Thread] = []
        self._something, self._closing, self._reachable = Bell(), threading.Event(), threading.Event()
        self._start(self._keep, "keeper")
        self._start(self._adopt, "adopter")

    # --- direct: one commit now

    def store(self, write: Callable[[str], Result], *, deadline: float | None = None) -> Result | None:
        """Run `write(alias)` within the deadline, see `Direct.run`; None when the database cannot take it now."""
        return self._writes.run(write, deadline=deadline)

    def work(self, work: Callable[[str], Result]) -> Result | None:
        """Run `work(alias)` likewise, with more time: reads, and bringing books up to date."""
        return self._patient.run(work)

    def read(self, question: Callable[[str], Result]) -> Result | None:
        """
        Run `question(alias)` as `work` does; None when the database cannot answer it now.

        A database that has just stopped answering gets time for the first probes: after a stall it is back by then,
        and in an outage that lasts no reader waits.
        """
        while 0.0 < self.circuit.seconds_open < READ_PROBE_SECONDS:
            self.clock.sleep(FLUSH_LOOK_SECONDS)
        return self.work(question)

    def _connection_failed(self, why: object, *, probe: bool = False) -> None:
        if self.circuit.failed(probe=probe):
            log.warning("the database does not answer; records go to the journal until it does: %s", line(why))
        for direct in (self._writes, self._patient):
            direct.pool.close()
        self._wake()

    # --- journal: on this machine's disk now, in the database later

    @property
    def backlog(self) -> int:
        """How many records of this process are not in the database yet, those in memory included."""
        waiting = len(self.buffer.queue)
        if self._journal is not None and self._drainer is not None:
            waiting += self._journal.last_seq - self._drainer.position
        return waiting

    @property
    def deadline(self) -> float:
        """How many seconds a logger call may take."""
        return self._writes.deadline

    def caught_up(self) -> bool:
        """Return whether the journal is drained, given a part of a call's time while the database answers."""
        if not self.backlog:
            return True
        return self.circuit.closed and self.flush(self.deadline * BACKLOG_SHARE)

    def accept(self, fact: Fact, *, sync: bool) -> Receipt:
        """
        Take a fact into the journal, or into memory while the disk refuses.

        Raises:
            StopTradingError: it would bring new risk, and memory is nearly full.
        """
        payload = encode(fact)
        if not self.buffer.queue and self._append(payload, sync=sync):
            return Receipt(fact.id, WriteOutcome.JOURNALED, sync)
        return Receipt(fact.id, self._remember(fact, Buffered(payload, sync)), synced=False)

    def keep(self, payload: bytes) -> None:
        """Take a record that is no fact, such as the refused description of a fill. Never raises."""
        if self.buffer.queue or not self._append(payload, sync=True):
            self.buffer.add("rejected", Buffered(payload, sync=True), KindPolicy(happened=True))
            self._wake()

    def _append(self, payload: bytes, *, sync: bool) -> bool:
        try:
            (self._journal or self._open_journal()).append(payload, sync=sync)
        except JournalUnavailableError as exc:
            if not self.buffer.queue:
                log.critical(
                    "the journal in %s refuses records; they are kept in memory and would not survive the end of "
                    "this process: %s", self.root, line(exc),
                )  # fmt: skip
            return False
        if self._drainer is not None:
            self._drainer.wake()
        return True

    def _open_journal(self) -> Journal:
        with self._lock:
            if self._journal is None:
                journal = Journal(self.root, self.address, producer=self.producer)
                drainer = Drainer(journal, using=self.using, clock=self.clock)
                # Before anything can be appended: a caller that is cut off here leaves none that nobody drains.
                self._start(drainer.run, "drainer")
                self._drainer, self._journal = drainer, journal
            return self._journal

    def _remember(self, fact: Fact, record: Buffered) -> WriteOutcome:
        policy = policy_of(fact.kind)
        if policy.new_risk and self.buffer.stops_risk:
            raise StopTradingError(
                "neither the database nor the disk takes records and memory is nearly full: take no new risk", fact=fact
            )
        taken = self.buffer.add(fact.kind, record, policy)
        self._wake()
        return WriteOutcome.BUFFERED if taken else WriteOutcome.LOST

    # --- the background

    def _start(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=f"friren-{name}-{self.using}", daemon=True)
        self._threads.append(thread)
        self.clock.start(thread)

    def _wake(self) -> None:
        self._something.set()

    def _keep(self) -> None:
        """Open connections that are wanted, probe a database that is away, move memory to disk."""
        while not self._closing.is_set():
            self._something.clear()
            self._connect()
            self.relieve()
            pause = self.circuit.seconds_to_probe()
            if len(self.buffer.queue):
                pause = min(RELIEF_SECONDS, RELIEF_SECONDS if pause is None else pause)
            self.clock.wait(self._something, pause)

    def _connect(self) -> None:
        probing = self.circuit.begin_probe()
        if not probing and not self.circuit.closed:
            return
        try:
            if probing:
                self._writes.pool.connect()
            for direct in (self._writes, self._patient):
                direct.pool.connect_wanted()
        except Exception as exc:  # noqa: BLE001 - whatever it is, this thread must go on looking
            self._connection_failed(exc, probe=probing)
        else:
            if self.circuit.succeeded():
                log.warning("the database answers again")
            if self._writes.pool.open:
                self._reachable.set()

    def _adopt(self) -> None:
        """Drain what dead processes left for this database, now and every now and then."""
        self.clock.wait(self._reachable, None)
        wait = partial(self.clock.wait, self._closing)
        keep_adopting(self.root, self.address, using=self.using, adopter=self.producer, wait=wait)

    def relieve(self) -> None:
        """Move what is in memory to the disk, or into the database, in order, as far as they take it."""
        if not len(self.buffer.queue):
            return
        relieve(self.buffer, append=self._append, store=self.store, producer=self.producer)
        if not len(self.buffer.queue):
            log.warning("the records that were in memory are safe")

    # --- the end

    @property
    def last_seq(self) -> int:
        """The number of the last record that the journal accepted; 0 before the first."""
        return self._journal.last_seq if self._journal is not None else 0

    def flush(self, timeout: float) -> bool:
        """Wait until everything accepted before this call is stored, and can be read; False when it is not in time."""
        until = self.clock.now() + timeout
        behind = self.backlog > 0
        done = self._drained(until)
        # The drainer may have found the database before the callers' side did, which may also get no connection at all.
        until = min(until, self.clock.now() + READ_PROBE_SECONDS)
        while done and behind and not self.circuit.closed and self.clock.now() < until:
            self.circuit.hasten()
            self._wake()
            self.clock.sleep(FLUSH_LOOK_SECONDS)
        return done

    def _drained(self, until: float) -> bool:
        wanted: int | None = None
        while True:
            if not len(self.buffer.queue):
                # What is accepted from here on is not waited for.
                wanted = self.last_seq if wanted is None else wanted
                if self._drainer is None or self._drainer.position >= wanted:
                    return True
                self._drainer.hurry()
            else:
                self._wake()
            if self.clock.now() >= until:
                return False
            self.clock.sleep(min(FLUSH_LOOK_SECONDS, max(0.0, until - self.clock.now())))

    def close(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Flush within `timeout` seconds unless the database is away, then end; the journal keeps what is left."""
        done = self.flush(timeout if self.circuit.closed else 0.0)
        self.relieve()  # the last chance of what only memory has
        self._closing.set()
        self._reachable.set()
        self._wake()
        if self._drainer is not None:
            self._drainer.stop()
        for thread in self._threads:
            thread.join(timeout=1.0)
        if self._journal is not None:
            self._journal.close()
        for direct in (self._writes, self._patient):
            direct.pool.close()
        if lost := len(self.buffer.queue):
            log.critical("%d records are in memory alone: they are lost when this process ends", lost)
        if not done:
            log.warning("%d records are left in the journal below %s", self.backlog - lost, self.root)
        return done
