"""The child that is asked what its calls waited for: the disk, the processor, or something of Friren's own."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from friren.persistence.engines import engine_for
from tests.faults.child import Bot, Diary
from tests.faults.failpoints import replace
from tests.faults.orders import Orders

__all__ = ["log_and_time"]

# Every way in which a journal touches the disk, none of them part of another.
TOUCHES: Final = (
    "write", "datasync", "truncate", "close", "create", "open_to_append", "open_lock", "open_to_read",
    "make_name", "sync_directory", "unlink", "rename",
)  # fmt: skip


def log_and_time(orders: Orders) -> None:
    """Log trades one after another, and write down of each call when it began, and what of it went where."""
    # What this thread did, when it began and ended, and how much of it the thread could have run.
    touches: list[tuple[str, float, float, float]] = []
    caller = threading.get_ident()

    def around(really: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(really)
        def timed(*arguments: Any) -> Any:
            if threading.get_ident() != caller:
                return really(*arguments)
            began, before = time.monotonic(), _waited()
            try:
                return really(*arguments)
            finally:
                touches.append((name, began, time.monotonic(), _waited() - before))

        return timed

    for name in TOUCHES:
        replace(f"friren.persistence.journal.files:Files.{name}", functools.partial(around, name=name))
    diary = _TimedDiary(orders.log)
    options = orders.options
    bot = Bot(diary, cycle=orders.number, thread=0, mode=options["mode"], durability=options["durability"])
    bot.work(options["count"], only=options["only"], pace=options["pace"])
    calls = [
        {"key": key, "began": began, "seconds": seconds, "ran_late": late}
        for (seconds, key, began), late in zip(diary.seconds, diary.late, strict=True)
    ]
    Path(f"{orders.log}.waits").write_text(json.dumps({"calls": calls, "touches": touches}))
    engine_for().flush(options["flush"])


class _TimedDiary(Diary):
    """
    Likewise for one thread.

    Attributes:
        late: seconds of each call in which its thread was ready to run and others had the processor.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.late: list[float] = []

    def call(self, key: str, method: Callable[..., Any], *arguments: Any, **told: Any) -> Any:
        before = _waited()
        try:
            return super().call(key, method, *arguments, **told)
        finally:
            self.late.append(_waited() - before)


def _waited() -> float:
    """Return for how many seconds this thread has waited for a processor, as the kernel tells it."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
