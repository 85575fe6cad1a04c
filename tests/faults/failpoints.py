"""
Named places of the write path at which a process can be killed.

They cost nothing when off, for the write path does not know them: the process that is to die wraps the function
that stands there, when it starts.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Final

__all__ = ["FAILPOINTS", "Failpoint", "arm", "replace"]


@dataclasses.dataclass(frozen=True, slots=True)
class Failpoint:
    """
    One place.

    Attributes:
        place: module and name of a function.
        moment: "before" it, "after" it, or "half": a write of which the first half was done.
        mode: which kind of logger comes by there.
        dense: whether it is passed by every call, and not by every batch or segment.
    """

    place: str
    moment: str
    mode: str = "journal"
    dense: bool = False


_FILES = "friren.persistence.journal.files:Files"
_DRAIN = "friren.persistence.drain"
_INSERT = "friren.persistence.handlers:insert_row"
_BOOKED = "portfolio_manager.booking.quick:exchange"
_COMMIT = "django.db.backends.base.base:BaseDatabaseWrapper._commit"
FAILPOINTS: Final = {
    "journal: before a record is written": Failpoint(f"{_FILES}.write", "before", dense=True),
    "journal: half a record is written": Failpoint(f"{_FILES}.write", "half", dense=True),
    "journal: a record is written, its caller not told": Failpoint(f"{_FILES}.write", "after", dense=True),
    "journal: before a sync": Failpoint(f"{_FILES}.datasync", "before", dense=True),
    "journal: after a sync, its callers not told": Failpoint(f"{_FILES}.datasync", "after", dense=True),
    "journal: a segment is created, without a header": Failpoint(f"{_FILES}.create", "after"),
    "journal: a segment is begun, without a record": Failpoint(
        "friren.persistence.journal.writing:begin_segment", "after"
    ),
    "journal: before a drained segment is removed": Failpoint(f"{_FILES}.unlink", "before"),
    "journal: after a drained segment is removed": Failpoint(f"{_FILES}.unlink", "after"),
    "drain: a batch is prepared": Failpoint(f"{_DRAIN}:prepare", "after"),
    "drain: a batch is stored, the cursor not moved": Failpoint(f"{_DRAIN}:apply_batch", "after"),
    "drain: the cursor is moved, nothing committed": Failpoint(f"{_DRAIN}:move_cursor", "after"),
    "drain: a batch is committed, nobody told": Failpoint(f"{_DRAIN}:Drainer._move", "after"),
    "adoption: a dead process's journal is found": Failpoint("friren.persistence.adoption:adopt", "before"),
    "adoption: it is drained, its files are there": Failpoint(
        "friren.persistence.journal.reader:JournalReader.drained", "before"
    ),
    "direct: before a row is inserted": Failpoint(_INSERT, "before", "direct", dense=True),
    "direct: a row is inserted, its caller not told": Failpoint(_INSERT, "after", "direct", dense=True),
    "direct: before a fill and its books are sent together": Failpoint(_BOOKED, "before", "direct"),
    "direct: a fill and its books are sent, the caller not told": Failpoint(_BOOKED, "after", "direct"),
    "direct: before the COMMIT of several rows": Failpoint(_COMMIT, "before", "direct", dense=True),
    "direct: after the COMMIT of several rows": Failpoint(_COMMIT, "after", "direct", dense=True),
}


def arm(name: str, hit: int) -> None:
    """Let this process be killed when it comes by the failpoint `name` for the `hit`-th time."""
    point, left, lock = FAILPOINTS[name], [hit], threading.Lock()

    def due() -> bool:
        with lock:
            left[0] -= 1
            return left[0] == 0

    def around(really: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(really)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            now = due()
            if now and point.moment == "before":
                _die()
            if now and point.moment == "half":
                handle, data = arguments
                os.write(handle, data[: max(1, len(data) // 2)])
                _die()
            result = really(*arguments, **options)
            if now:
                _die()
            return result

        return wrapped

    replace(point.place, around)


def replace(place: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put `around(function)` in the place of a function, given as "module:name" or "module:Class.name"."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    found = vars(owner)[name]
    made = around(getattr(owner, name))
    setattr(owner, name, staticmethod(made) if isinstance(found, staticmethod) else made)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
