"""
A journal on a disk that keeps only what was synced, through any history of appends, faults, kills and power cuts.

What was acknowledged as synced is there after a power cut, what was acknowledged at all is there after a kill,
every number is answered for, and no record says what nobody wrote.
"""

from __future__ import annotations

import dataclasses
import errno
import random
import shutil
import tempfile
from pathlib import Path
from uuid import UUID

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from friren.persistence import settings
from friren.persistence.journal import Address, Journal, JournalUnavailableError, Record, journals_of, reader
from tests.faults.disk import Disk

__all__ = ["JournalMachine", "histories"]

ADDRESS = Address(host="db.example", port="5432", name="trading")
# Memory where there is such a folder: thousands of histories make no difference to a disk then.
MEMORY = Path("/dev/shm")
CODES = st.sampled_from([errno.EIO, errno.ENOSPC, errno.EROFS, errno.EMFILE])
CALLS = st.sampled_from(["write", "datasync", "truncate", "create", "make_name", "sync_directory", "rename", "unlink"])


@dataclasses.dataclass(slots=True)
class _Producer:
    """
    What is known of one writer.

    Attributes:
        tried: what it may have written under each number.
        told: what it was told is there.
        synced: up to which number that survives a power cut.
        drained: up to which number it is in the database, so that its files may go.
    """

    tried: dict[int, set[bytes]] = dataclasses.field(default_factory=dict)
    told: dict[int, bytes] = dataclasses.field(default_factory=dict)
    synced: set[int] = dataclasses.field(default_factory=set)
    drained: int = 0


class JournalMachine(RuleBasedStateMachine):
    """The history of one machine's journals. Its rules are what can happen, one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._keep = settings.JOURNAL_KEEP_SECONDS
        settings.JOURNAL_KEEP_SECONDS = -1.0  # drained segments go at once
        self._folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self._boots = 0
        self._producers: dict[UUID, _Producer] = {}
        self._number = 0
        self._disk = Disk(self._empty())
        self._begin()

    def teardown(self) -> None:
        """Look once more, and leave nothing behind."""
        try:
            self._look(self._root, kept=lambda producer: producer.told.keys())
        finally:
            settings.JOURNAL_KEEP_SECONDS = self._keep
            self._abandon()
            shutil.rmtree(self._folder)

    def _empty(self) -> Path:
        home = self._folder / f"boot-{self._boots}"
        home.mkdir()
        return home

    @property
    def _root(self) -> Path:
        return self._disk.root / "journal"

    def _begin(self) -> None:
        self._journal = Journal(self._root, ADDRESS, segment_bytes=900, files=self._disk)
        self._producers[self._journal.producer] = _Producer()

    def _abandon(self) -> None:
        """Let the writer end as a kill ends it: what it holds is closed, and nothing else is done."""
        self._journal._refusal = "killed"
        self._journal._release()

    # --- what can happen

    @initialize()
    def begins(self) -> None:
        """Nothing has happened yet."""

    @rule(size=st.integers(0, 700), sync=st.booleans())
    def append(self, size: int, sync: bool) -> None:
        """A record is written, or refused."""
        known = self._producers[self._journal.producer]
        self._number += 1
        payload = f'{{"n": {self._number}, "text": "{"x" * size}"}}'.encode()
        known.tried.setdefault(self._journal.last_seq + 1, set()).add(payload)
        try:
            seq = self._journal.append(payload, sync=sync)
        except JournalUnavailableError:
            return
        known.told[seq] = payload
        if sync:
            known.synced.add(seq)

    @rule()
    def sync(self) -> None:
        """Everything is synced, or refused."""
        try:
            self._journal.sync()
        except JournalUnavailableError:
            return

    @rule(share=st.floats(0, 1))
    def drain(self, share: float) -> None:
        """The database has a part of it."""
        known = self._producers[self._journal.producer]
        if known.told:
            known.drained = max(known.drained, int(max(known.told) * share))
            self._journal.drained(known.drained)

    @rule(call=CALLS, code=CODES)
    def refuse(self, call: str, code: int) -> None:
        """The disk will refuse a call, once."""
        self._disk.refusing[call] = code

    @rule(room=st.integers(0, 900))
    def fill(self, room: int) -> None:
        """The disk is nearly full."""
        self._disk.room = room

    @rule()
    def heal(self) -> None:
        """The disk is well again."""
        self._disk.refusing.clear()
        self._disk.room = None

    @rule()
    def kill(self) -> None:
        """The process is killed, and another begins: the system has kept what was written."""
        self._abandon()
        self._look(self._root, kept=lambda producer: producer.told.keys())
        self._begin()

    @rule()
    def close(self) -> None:
        """The process ends in order, and another begins."""
        self._journal.close()
        self._look(self._root, kept=lambda producer: producer.told.keys())
        self._begin()

    @precondition(lambda self: self._number > 0)
    @rule(seed=st.integers(0, 2**32))
    def cut_the_power(self, seed: int) -> None:
        """The machine stops, and comes back with what the disk has kept; what is left of the rest may be anything."""
        self._abandon()
        self._boots += 1
        target = self._folder / f"boot-{self._boots}"
        self._disk.after_power_cut(target, random.Random(seed))
        self._look(target / "journal", kept=lambda producer: producer.synced)
        for producer in self._producers.values():
            producer.told = {seq: producer.told[seq] for seq in producer.synced if seq in producer.told}
        self._disk = Disk(target)
        self._begin()

    # --- what must hold

    def _look(self, root: Path, *, kept) -> None:
        there = {found.producer: found for found in journals_of(root, ADDRESS)}
        for producer, known in self._producers.items():
            found = there.get(producer)
            wanted = {seq: known.told[seq] for seq in kept(known) if seq > known.drained}
            if found is None:
                assert not wanted, f"the journal of {producer} is gone, and with it {sorted(wanted)}"
                continue
            reader._ends.pop(found.directory, None)
            self._read(found, known, wanted)

    @staticmethod
    def _read(found, known: _Producer, wanted: dict[int, bytes]) -> None:
        at, records = known.drained + 1, {}
        while entries := found.read(at, 7):
            for entry in entries:
                assert entry.seq == at, f"number {at} is not answered for"
                at = (entry.seq if isinstance(entry, Record) else entry.last_seq) + 1
                if isinstance(entry, Record):
                    records[entry.seq] = entry.payload
        assert at - 1 == max(found.last_seq, known.drained), (at, found.last_seq)
        for seq, payload in records.items():
            assert payload in known.tried.get(seq, set()), f"record {seq} says what nobody wrote"
        lost = [seq for seq, payload in wanted.items() if records.get(seq) != payload]
        assert not lost, f"{len(lost)} records that were acknowledged are lost: {lost}"


def histories(count: int, *, seed: int, steps: int = 20, shortest: bool = True) -> None:
    """
    Try so many histories. Raises AssertionError, whose notes tell of one that breaks a promise.

    Args:
        shortest: look for the shortest of those.
    """
    phases = [hypothesis.Phase.generate, *([hypothesis.Phase.shrink] if shortest else [])]
    forced, hypothesis.core.global_force_seed = hypothesis.core.global_force_seed, seed
    try:
        run_state_machine_as_test(
            JournalMachine,
            settings=hypothesis.settings(
                max_examples=count,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                report_multiple_bugs=False,
                phases=phases,
                suppress_health_check=list(hypothesis.HealthCheck),
            ),
        )
    finally:
        hypothesis.core.global_force_seed = forced
