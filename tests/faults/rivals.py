"""Faults that other sessions bring about: locks, deadlocks, memory that is used up; and a process that stands still."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from tests.faults.administrator import changed
from tests.faults.field import TABLES, Field

__all__ = ["crosswise", "locked", "no_memory", "pool_exhausted", "snapshots", "stopped"]

# Less than what a statement waits for a lock, half of FRIREN_WRITE_DEADLINE, so that none fails.
LOCKED_SECONDS = 0.1
# More than idle_in_transaction_session_timeout of the logging process (tests.faults.matrix).
STOPPED_SECONDS = 0.15


@contextmanager
def _again_and_again(turn: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run `turn(over)` in a thread until the context ends, which sets `over`; what it raises is raised then."""
    over, raised = threading.Event(), []

    def run() -> None:
        try:
            while not over.is_set():
                turn(over)
                over.wait(0.005)
        except Exception as exc:  # noqa: BLE001 - raised below
            raised.append(exc)

    rival = threading.Thread(target=run)
    rival.start()
    try:
        yield
    finally:
        over.set()
        rival.join()
    if raised:
        raise raised[0]


@contextmanager
def locked(field: Field) -> Iterator[None]:
    with field.ground.connect() as admin, admin.transaction():
        admin.execute(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def pool_exhausted(field: Field) -> Iterator[None]:
    """Keep every statement waiting, but none for too long: what runs out is the connections of the process."""
    with field.ground.connect() as rival:

        def turn(_over: threading.Event) -> None:
            with rival.transaction():
                rival.execute(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE")
                time.sleep(LOCKED_SECONDS)

        with _again_and_again(turn):
            yield


@contextmanager
def crosswise(field: Field) -> Iterator[None]:
    """Lock positions and then books; a booking locks its books and then moves its position."""
    with field.ground.connect() as rival:
        rival.execute("SET deadlock_timeout = '60s'")  # it is the logger who finds the deadlock, and is the victim

        def turn(over: threading.Event) -> None:
            with rival.transaction():
                rival.execute("SELECT FROM portfolio_manager_position FOR UPDATE")
                while not over.is_set() and not _waited_for(rival):
                    time.sleep(0.002)
                rival.execute("SELECT FROM portfolio_manager_accountstate FOR UPDATE")

        with _again_and_again(turn):
            yield


def _waited_for(rival: psycopg.Connection) -> bool:
    """Return whether anybody waits for a lock."""
    return rival.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)").fetchone()[0]


@contextmanager
def snapshots(field: Field) -> Iterator[None]:
    """Let transactions keep one snapshot, as an administrator may, and change the books under them."""
    name = "default_transaction_isolation"
    isolated = changed(f"ALTER DATABASE friren SET {name} = 'repeatable read'", f"ALTER DATABASE friren RESET {name}",
                        after=True)  # fmt: skip
    with field.ground.connect() as rival:

        def turn(_over: threading.Event) -> None:
            with rival.transaction():
                rival.execute("UPDATE portfolio_manager_accountstate SET trade_count = trade_count")
                time.sleep(0.02)

        with isolated(field), _again_and_again(turn):
            yield


@contextmanager
def stopped(field: Field) -> Iterator[None]:
    """Stop the logging process for moments, as a laptop does that is closed: its transactions stand idle."""

    def turn(_over: threading.Event) -> None:
        os.kill(field.child.pid, signal.SIGSTOP)
        time.sleep(STOPPED_SECONDS)
        os.kill(field.child.pid, signal.SIGCONT)
        time.sleep(0.05)

    with _again_and_again(turn):
        yield


@contextmanager
def no_memory(field: Field) -> Iterator[None]:
    """Let another session take all the memory that the server has for locks."""
    with field.ground.connect() as rival:
        with contextlib.suppress(psycopg.errors.OutOfMemory):
            rival.execute("SELECT pg_advisory_lock(number) FROM generate_series(1, 10000000) AS number")
        yield
