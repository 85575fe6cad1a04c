"""Draining what other processes left on this machine."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from uuid import UUID

from django.db import connections
from django.utils import timezone

from friren.persistence import settings
from friren.persistence.direct import line
from friren.persistence.drain import Drained, Drainer
from friren.persistence.journal import Address, JournalReader, journals_of
from friren.persistence.models import JournalCursor

__all__ = ["adopt", "drain_together", "keep_adopting", "left_behind"]

log = logging.getLogger(__name__)

# How soon a journal whose facts wait for rows of another one is looked at again.
LOOK_AGAIN_SECONDS = 0.1


def adopt(
    root: Path,
    address: Address,
    *,
    using: str = "default",
    timeout: float | None = None,
    adopter: UUID | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> Drained:
    """
    Drain what dead processes left for the database at `address`.

    Args:
        timeout: seconds after which the rest is left for another time.
        adopter: the producer that does it; noted at the cursors.
        ended: asked after each batch; once it is true the rest is left for another time, too.

    Raises:
        DatabaseError: the database is in trouble; what was moved so far is moved.
    """
    left = left_behind(root, address, using=using)
    return drain_together(left, using=using, timeout=timeout, adopter=adopter, ended=ended)


def keep_adopting(root: Path, address: Address, *, using: str, adopter: UUID, wait: Callable[[float], bool]) -> None:
    """
    Do so now and every now and then, whatever stands in the way; for a thread of its own.

    Args:
        wait: waits some seconds; returns whether to end.
    """
    pause = 0.0
    while not wait(pause):
        pause = settings.ADOPT_IDLE_SECONDS
        try:
            if journals_of(root, address):
                # Who closes does not wait for a long journal: nobody writes for an engine that is gone.
                adopt(root, address, using=using, adopter=adopter, ended=lambda: wait(0.0))
        except Exception as exc:  # noqa: BLE001 - it is tried again; `replay` and `health` say what stands in the way
            log.debug("journals of other processes cannot be drained now: %s", line(exc))
            pause = settings.PROBE_SECONDS_MAX
        finally:
            connections[using].close()


def left_behind(root: Path, address: Address, *, using: str = "default") -> list[JournalReader]:
    """
    Return the journals for `address` that nobody drains: their writer is dead, or their cursor has stood still.

    The lock alone does not tell: a forked child can hold a dead parent's.
    """
    cursors = dict(JournalCursor.objects.using(using).values_list("producer", "updated_at"))
    idle = timezone.now() - dt.timedelta(seconds=settings.ADOPT_IDLE_SECONDS)
    return [
        reader
        for reader in journals_of(root, address)
        if not reader.alive or (cursors.get(reader.producer, timezone.now()) < idle and reader.last_seq)
    ]


def drain_together(
    readers: Iterable[JournalReader],
    *,
    using: str,
    timeout: float | None = None,
    adopter: UUID | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> Drained:
    """Drain journals in turn, so that what waits for a row in another one gets it. Arguments, errors: see `adopt`."""
    until = None if timeout is None else time.monotonic() + timeout
    pending = [(reader, Drainer(reader, using=using, adopter=adopter)) for reader in readers]
    total, left, waiting = Drained(), 0, 0
    while pending:
        rest, moved, left, waiting = [], 0, 0, 0
        for reader, drainer in pending:
            remaining_time = None if until is None else max(0.0, until - time.monotonic())
            if ended():
                return Drained(total.stored, total.duplicates, total.dead_lettered, left, waiting)
            done = drainer.drain_all(timeout=remaining_time, ended=ended)
            total, moved = total.then(done), moved + done.moved
            if done.remaining:
                rest.append((reader, drainer))
                left, waiting = left + done.remaining, waiting + done.waiting
            else:
                reader.drained(drainer.position)
        pending = rest
        if until is not None and time.monotonic() >= until:
            break
        if pending and not moved:
            if not waiting:
                break  # its writer is writing
            time.sleep(LOOK_AGAIN_SECONDS)
    return Drained(total.stored, total.duplicates, total.dead_lettered, left, waiting)
