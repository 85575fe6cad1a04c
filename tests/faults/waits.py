"""The child that is asked what its calls waited for: the disk, the processor, or something of Friren's own."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from friren.persistence.engines import engine_for
from tests.faults.child import Bot, Diary
from tests.faults.failpoints import replace
from tests.faults.orders import Orders

__all__ = ["log_and_time"]


def log_and_time(orders: Orders) -> None:
    """Log trades one after another, and write down of each call when it began, and what of it went where."""
    # When each began and ended, and how much of it its thread could have run.
    syncs: list[tuple[float, float, float]] = []

    def around(really: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(really)
        def timed(*arguments: Any) -> Any:
            began, before = time.monotonic(), _waited()
            try:
                return really(*arguments)
            finally:
                syncs.append((began, time.monotonic(), _waited() - before))

        return timed

    replace("friren.persistence.journal.files:Files.datasync", around)
    diary = _TimedDiary(orders.log)
    options = orders.options
    bot = Bot(diary, cycle=orders.number, thread=0, mode=options["mode"], durability=options["durability"])
    bot.work(options["count"], only=options["only"], pace=options["pace"])
    calls = [
        {"key": key, "began": began, "seconds": seconds, "ran_late": late}
        for (seconds, key, began), late in zip(diary.seconds, diary.late, strict=True)
    ]
    Path(f"{orders.log}.waits").write_text(json.dumps({"calls": calls, "syncs": syncs}))
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
