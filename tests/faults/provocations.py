"""
Each kind of fault, provoked as it comes about in life: a network breaks, a server goes, another session is in the way.

All but two, which a trigger makes. To fill the server's disk would take a file system of its own. And nothing keeps a
statement of the write path, which writes one row, but a lock, which has a limit of its own, or what hangs on the table.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import psycopg

from friren.embedded import process
from tests.faults.crew import Child
from tests.faults.ground import Ground
from tests.faults.names import Names
from tests.faults.proxy import FaultProxy
from tests.outages import frozen

__all__ = ["FAULTS", "PASSWORD", "ROLE", "Fault", "Field"]

# Whom the logging process is for the server, so that what befalls it is told apart.
ROLE: Final = "laboratory"
PASSWORD: Final = "only for tests"
TABLES: Final = ("trading_engine_trade", "trading_engine_order")
# Less than what a statement waits for a lock, half of FRIREN_WRITE_DEADLINE, so that none fails.
LOCKED_SECONDS = 0.1
# More than idle_in_transaction_session_timeout of the logging process (tests.faults.matrix).
STOPPED_SECONDS = 0.15


@dataclasses.dataclass
class Field:
    """What there is to break, and the process that logs, once it is there."""

    ground: Ground
    proxy: FaultProxy
    names: Names
    child: Child | None = None


Provoke = Callable[[Field], AbstractContextManager[None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """
    One kind of fault.

    Attributes:
        provoke: has it for as long as its context lasts.
        raises: the SQLSTATE that the server has to answer the logging process with meanwhile; "" when no answer comes.
    """

    provoke: Provoke
    raises: str = ""


# --- the network


@contextmanager
def _no_name_at_first(field: Field) -> Iterator[None]:
    field.names.go()
    yield
    field.names.come()


@contextmanager
def _no_name_any_more(field: Field) -> Iterator[None]:
    field.names.go()
    time.sleep(0.1)  # who is connected notices nothing as yet
    field.proxy.reset()
    yield
    field.names.come()


@contextmanager
def _refused(field: Field) -> Iterator[None]:
    field.proxy.refuse()
    yield
    field.proxy.accept()


@contextmanager
def _reset(field: Field) -> Iterator[None]:
    field.proxy.reset()
    yield
    field.proxy.reset()


@contextmanager
def _black_hole(field: Field) -> Iterator[None]:
    field.proxy.swallow()
    yield
    field.proxy.release()


@contextmanager
def _slow_network(field: Field) -> Iterator[None]:
    field.proxy.latency = 0.2
    yield
    field.proxy.latency = 0.0


# --- the server


@contextmanager
def _crash(field: Field) -> Iterator[None]:
    field.ground.server.kill()
    yield
    field.ground.server.start()


@contextmanager
def _fast_shutdown(field: Field) -> Iterator[None]:
    field.ground.server.stop()
    yield
    field.ground.server.start()


@contextmanager
def _immediate_shutdown(field: Field) -> Iterator[None]:
    data = field.ground.server.location.data
    os.kill(process.find(data).pid, signal.SIGQUIT)
    while process.find(data) is not None:
        time.sleep(0.01)
    yield
    field.ground.server.start()


@contextmanager
def _frozen(field: Field) -> Iterator[None]:
    with frozen(field.ground.server):
        yield


# --- what its administrator does


def _end_sessions(admin: psycopg.Connection) -> None:
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [ROLE])


@contextmanager
def _terminated(field: Field) -> Iterator[None]:
    with field.ground.connect() as admin:
        _end_sessions(admin)
        yield
        _end_sessions(admin)


@contextmanager
def _too_many_connections(field: Field) -> Iterator[None]:
    with field.ground.connect() as admin, contextlib.ExitStack() as taken_up:
        _end_sessions(admin)
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                taken_up.enter_context(contextlib.closing(field.ground.connect()))
        yield


def _changed(change: str, back: str, *, at_once: bool = True, after: bool = False) -> Provoke:
    """
    Let the administrator change something, and change it back.

    Args:
        at_once: end the sessions that began without it.
        after: end those that began with it.
    """

    @contextmanager
    def provoke(field: Field) -> Iterator[None]:
        with field.ground.connect() as admin:
            admin.execute("SET default_transaction_read_only = off")  # in this session, whatever is changed
            admin.execute(change)
            if at_once:
                _end_sessions(admin)
            try:
                yield
            finally:
                admin.execute(back)
                if after:
                    _end_sessions(admin)

    return provoke


def _each_insert(body: str) -> Provoke:
    """Let the server do something before it takes orders or trades."""

    @contextmanager
    def provoke(field: Field) -> Iterator[None]:
        with field.ground.connect() as admin:
            admin.execute(
                f"CREATE OR REPLACE FUNCTION laboratory_fault() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN {body}; RETURN NULL; END $$"
            )
            for table in TABLES:
                admin.execute(f"CREATE TRIGGER laboratory BEFORE INSERT ON {table} EXECUTE FUNCTION laboratory_fault()")
            yield
            for table in TABLES:
                admin.execute(f"DROP TRIGGER laboratory ON {table}")

    return provoke


# --- what other sessions do


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
def _locked(field: Field) -> Iterator[None]:
    with field.ground.connect() as admin, admin.transaction():
        admin.execute(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def _pool_exhausted(field: Field) -> Iterator[None]:
    """Keep every statement waiting, but none for too long: what runs out is the connections of the process."""
    with field.ground.connect() as rival:

        def turn(_over: threading.Event) -> None:
            with rival.transaction():
                rival.execute(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE")
                time.sleep(LOCKED_SECONDS)

        with _again_and_again(turn):
            yield


@contextmanager
def _crosswise(field: Field) -> Iterator[None]:
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
def _snapshots(field: Field) -> Iterator[None]:
    """Let transactions keep one snapshot, as an administrator may, and change the books under them."""
    name = "default_transaction_isolation"
    isolated = _changed(f"ALTER DATABASE friren SET {name} = 'repeatable read'", f"ALTER DATABASE friren RESET {name}",
                        after=True)  # fmt: skip
    with field.ground.connect() as rival:

        def turn(_over: threading.Event) -> None:
            with rival.transaction():
                rival.execute("UPDATE portfolio_manager_accountstate SET trade_count = trade_count")
                time.sleep(0.02)

        with isolated(field), _again_and_again(turn):
            yield


@contextmanager
def _stopped(field: Field) -> Iterator[None]:
    """Stop the logging process for moments, as a laptop does that is closed: its transactions stand idle."""

    def turn(_over: threading.Event) -> None:
        os.kill(field.child.pid, signal.SIGSTOP)
        time.sleep(STOPPED_SECONDS)
        os.kill(field.child.pid, signal.SIGCONT)
        time.sleep(0.05)

    with _again_and_again(turn):
        yield


@contextmanager
def _no_memory(field: Field) -> Iterator[None]:
    """Let another session take all the memory that the server has for locks."""
    with field.ground.connect() as rival:
        with contextlib.suppress(psycopg.errors.OutOfMemory):
            rival.execute("SELECT pg_advisory_lock(number) FROM generate_series(1, 10000000) AS number")
        yield


_TRADES: Final = TABLES[0]
FAULTS: Final[dict[str, Fault]] = {
    "name unknown at the start": Fault(_no_name_at_first),
    "name unknown any more": Fault(_no_name_any_more),
    "connections refused": Fault(_refused),
    "connections reset": Fault(_reset),
    "black hole": Fault(_black_hole),
    "slow network": Fault(_slow_network),
    "crash": Fault(_crash),
    "fast shutdown": Fault(_fast_shutdown),
    "immediate shutdown": Fault(_immediate_shutdown),
    "frozen server": Fault(_frozen),
    "sessions terminated": Fault(_terminated, "57P01"),
    "too many connections": Fault(_too_many_connections, "53300"),
    "read-only server": Fault(
        _changed("ALTER DATABASE friren SET default_transaction_read_only = on",
                 "ALTER DATABASE friren RESET default_transaction_read_only"),
        "25006",
    ),
    "login refused": Fault(_changed(f"ALTER ROLE {ROLE} NOLOGIN", f"ALTER ROLE {ROLE} LOGIN"), "28000"),
    "wrong password": Fault(
        _changed(f"ALTER ROLE {ROLE} PASSWORD 'another'", f"ALTER ROLE {ROLE} PASSWORD '{PASSWORD}'"), "28P01"
    ),
    "no rights": Fault(
        _changed(f"REVOKE INSERT ON {_TRADES} FROM friren", f"GRANT INSERT ON {_TRADES} TO friren", at_once=False),
        "42501",
    ),
    "missing table": Fault(
        _changed(f"ALTER TABLE {_TRADES} RENAME TO mislaid", f"ALTER TABLE mislaid RENAME TO {_TRADES}", at_once=False),
        "42P01",
    ),
    "locked tables": Fault(_locked, "55P03"),
    "pool exhausted": Fault(_pool_exhausted),
    "slow statements": Fault(_each_insert("PERFORM pg_sleep(0.3)"), "57014"),
    "deadlocks": Fault(_crosswise, "40P01"),
    "serialization failures": Fault(_snapshots, "40001"),
    "idle in transaction": Fault(_stopped, "25P03"),
    "out of memory": Fault(_no_memory, "53200"),
    "full disk of the server": Fault(
        _each_insert("RAISE EXCEPTION 'made by the laboratory' USING ERRCODE = '53100'"), "53100"
    ),
}  # fmt: skip
