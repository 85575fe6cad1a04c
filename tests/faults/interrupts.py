"""Calls that an exception cuts off, as Ctrl-C and the handlers of signals do, anywhere in their midst."""

from __future__ import annotations

import random
import signal
import threading
from types import FrameType

from friren.persistence.engines import engine_for
from tests.faults.child import Bot, Diary
from tests.faults.orders import Orders
from tests.faults.process_tasks import log_until, report
from tests.faults.script import key_of
from tests.faults.sockets import pools_at_rest

__all__ = ["interrupt"]

# The steps of a round that stand alone: a trade, a signal, a fill that is booked at once.
STEPS = (2, 5, 6)


class _Interrupted(BaseException):
    """What KeyboardInterrupt is to whoever presses Ctrl-C."""


def interrupt(orders: Orders) -> None:
    """Log from the main thread, interrupted at random moments, and from another one that is not; then as ever."""
    diary, chance = Diary(orders.log), random.Random(orders.number)
    count, longest = orders.options["count"], orders.options["seconds"]
    stop = threading.Event()
    other = threading.Thread(
        target=log_until, args=(Bot(diary, cycle=orders.number, thread=1, mode="mixed"), orders.number, 1, stop)
    )
    other.start()
    struck: list[str] = []
    own = Diary(orders.log)
    own.interrupted = lambda: bool(struck)  # the standard library may raise another exception in its place
    bot = Bot(own, cycle=orders.number, thread=0, mode=orders.options["mode"])

    def strike(_number: int, _frame: FrameType | None) -> None:
        struck.append("")
        raise _Interrupted

    signal.signal(signal.SIGALRM, strike)
    times = 0
    for number in range(count):
        key = key_of(orders.number, 0, 8 * number + chance.choice(STEPS))
        struck.clear()
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, longest))
            bot.step(key)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except _Interrupted:
            pass
        times += bool(struck)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    struck.clear()
    for number in range(count, count + 50):
        bot.step(key_of(orders.number, 0, 8 * number + STEPS[number % 3]))
    stop.set()
    other.join()
    report(orders, interrupted=times, flushed=engine_for().flush(60), pools=pools_at_rest())
