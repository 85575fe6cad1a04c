"""
Wrong variants of the write path, as somebody might write it who has not read why it is as it is.

Each is put in place of the right one in the process that logs, or where the journal runs on the laboratory's disk.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.faults.disk import Disk
from tests.faults.failpoints import replace

__all__ = ["VARIANTS", "Variant", "applied", "apply"]


@dataclasses.dataclass(frozen=True, slots=True)
class Variant:
    """
    One wrong variant.

    Attributes:
        put: puts it in place, in this process.
        experiment: the one that has to catch it, a function of tests.faults.mutants.
        expects: what that has to say of it.
        options: of the experiment.
    """

    put: Callable[[], None]
    experiment: str
    expects: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


def apply(name: str) -> None:
    """Put a variant in place for the rest of this process."""
    VARIANTS[name].put()


@contextmanager
def applied(name: str) -> Iterator[None]:
    """Put a variant of the journal in place for a while."""
    from friren.persistence.journal import Journal

    right = {owner: dict(vars(owner)) for owner in (Disk, Journal)}
    apply(name)
    try:
        yield
    finally:
        for owner, attributes in right.items():
            for attribute, value in attributes.items():
                if vars(owner)[attribute] is not value:
                    setattr(owner, attribute, value)


def _delete_before_commit() -> None:
    """What is about to be stored is removed from the journal first."""
    from friren.persistence.journal.expiry import expire

    def around(really: Callable[..., Any]) -> Callable[..., Any]:
        def move(self: Any, at: int, letters: list[Any]) -> Any:
            expire(self._source.directory, letters[-1].last_seq, at_once=True)
            return really(self, at, letters)

        return move

    replace("friren.persistence.drain:Drainer._move", around)


def _no_key() -> None:
    """A record that goes to the journal after a direct try is another record."""
    from friren.core.ids import new_id
    from friren.persistence.facts import Fact

    def around(really: Callable[..., Any]) -> Callable[..., Any]:
        return lambda fact: really(Fact(kind=fact.kind, id=new_id(), values=fact.values))

    replace("friren.persistence.engine:encode", around)


def _no_fsync() -> None:
    """Nobody waits for the disk."""
    replace("tests.faults.disk:Disk.datasync", lambda _really: lambda _self, _handle: None)


def _acknowledge_before_write() -> None:
    """The caller goes on while the record is still to be written."""
    left: queue.Queue[tuple[Any, ...]] = queue.Queue()

    def around(really: Callable[..., Any]) -> Callable[..., Any]:
        def write_all() -> None:
            while True:
                self, payload, sync = left.get()
                time.sleep(0.002)
                really(self, payload, sync=sync)

        threading.Thread(target=write_all, daemon=True).start()

        def append(self: Any, payload: bytes, *, sync: bool) -> bool:
            left.put((self, payload, sync))
            return True

        return append

    replace("friren.persistence.engine:Engine._append", around)


def _directory_not_synced() -> None:
    """The bytes of a segment are synced, its name is not."""
    replace("tests.faults.disk:Disk.sync_directory", lambda _really: lambda _self, _path: None)


def _cursor_early() -> None:
    """The cursor is moved in a transaction of its own, before what it counts."""
    from friren.persistence import drain

    def around(_really: Callable[..., Any]) -> Callable[..., Any]:
        def move(self: Any, at: int, letters: list[Any]) -> Any:
            moved = drain.Moved(stored=sum(letter.count for letter in letters))
            with drain.one_commit(self._using):
                drain.lock_cursor(self._source.producer, at, using=self._using)
                seq = drain.move_cursor(self._source.producer, at, moved, adopter=None, using=self._using)
            facts = [letter.fact for letter in letters if letter.fact is not None]
            drain.prepare(facts, using=self._using)
            with drain.one_commit(self._using):
                drain.apply_batch(facts, using=self._using, producer=self._source.producer)
            self._note(seq)
            return moved

        return move

    replace("friren.persistence.drain:Drainer._move", around)


def _out_of_order() -> None:
    """A batch is stored from its end."""

    def around(really: Callable[..., Any]) -> Callable[..., Any]:
        return lambda facts, **options: really(facts[::-1], **options)[::-1]

    replace("friren.persistence.drain:apply_batch", around)


def _breaker_never_closes() -> None:
    """A probe that is answered changes nothing."""
    replace("friren.persistence.circuit:Circuit.succeeded", lambda _really: lambda _self: False)


VARIANTS: Final[dict[str, Variant]] = {
    "delete before commit": Variant(
        _delete_before_commit, "killed_at", "lost", {"names": ("drain: the cursor is moved, nothing committed",)}
    ),
    "no key": Variant(_no_key, "lost_commits", "duplicate", {"only": 5}),
    "fsync removed": Variant(_no_fsync, "power_cuts", "are lost"),
    "acknowledge before write": Variant(_acknowledge_before_write, "killed", "lost"),
    "directory not synced": Variant(_directory_not_synced, "power_cuts", "is gone"),
    "cursor advanced early": Variant(_cursor_early, "killed_at", "lost", {"names": ("drain: a batch is prepared",)}),
    "replay out of order": Variant(_out_of_order, "journaled", "dead letters"),
    "breaker never closes": Variant(_breaker_never_closes, "outage", "nothing was stored any more"),
}
