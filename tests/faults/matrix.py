"""Every kind of fault, one after another, under one process that logs: no exception, nothing lost, soon back."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import psycopg

from friren.embedded import process
from tests.faults.commits import proxied
from tests.faults.crew import Crew
from tests.faults.ground import Ground
from tests.faults.history import Call
from tests.faults.kills import Result, judge, taken
from tests.faults.outages import outcomes
from tests.faults.proxy import FaultProxy
from tests.outages import frozen

__all__ = ["FAULTS", "through_all"]

# How soon after a fault a call is to be stored again.
BACK_SECONDS = 1.0
# Few, so that they are soon taken up.
CONNECTIONS_MAX = 30

Fault = Callable[[Ground, FaultProxy], Any]


@contextlib.contextmanager
def _refused(_ground: Ground, proxy: FaultProxy) -> Iterator[None]:
    proxy.refuse()
    yield
    proxy.accept()


@contextlib.contextmanager
def _reset(_ground: Ground, proxy: FaultProxy) -> Iterator[None]:
    proxy.reset()
    yield
    proxy.reset()


@contextlib.contextmanager
def _black_hole(_ground: Ground, proxy: FaultProxy) -> Iterator[None]:
    proxy.swallow()
    yield
    proxy.release()


@contextlib.contextmanager
def _slow_network(_ground: Ground, proxy: FaultProxy) -> Iterator[None]:
    proxy.latency = 0.2
    yield
    proxy.latency = 0.0


@contextlib.contextmanager
def _crash(ground: Ground, _proxy: FaultProxy) -> Iterator[None]:
    ground.server.kill()
    yield
    ground.server.start()


@contextlib.contextmanager
def _fast_shutdown(ground: Ground, _proxy: FaultProxy) -> Iterator[None]:
    ground.server.stop()
    yield
    ground.server.start()


@contextlib.contextmanager
def _immediate_shutdown(ground: Ground, _proxy: FaultProxy) -> Iterator[None]:
    os.kill(process.find(ground.server.location.data).pid, signal.SIGQUIT)
    while process.find(ground.server.location.data) is not None:
        time.sleep(0.01)
    yield
    ground.server.start()


@contextlib.contextmanager
def _frozen(ground: Ground, _proxy: FaultProxy) -> Iterator[None]:
    with frozen(ground.server):
        yield


def _end_sessions(admin: psycopg.Connection) -> None:
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )


@contextlib.contextmanager
def _terminated(ground: Ground, _proxy: FaultProxy) -> Iterator[None]:
    with ground.connect() as admin:
        _end_sessions(admin)
        yield
        _end_sessions(admin)


@contextlib.contextmanager
def _too_many_connections(ground: Ground, _proxy: FaultProxy) -> Iterator[None]:
    with ground.connect() as admin, contextlib.ExitStack() as taken_up:
        _end_sessions(admin)
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                taken_up.enter_context(contextlib.closing(ground.connect()))
        yield


@contextlib.contextmanager
def _read_only(ground: Ground, _proxy: FaultProxy) -> Iterator[None]:
    with ground.connect() as admin:
        admin.execute("ALTER DATABASE friren SET default_transaction_read_only = on")
        _end_sessions(admin)
        try:
            yield
        finally:
            admin.execute("SET default_transaction_read_only = off")
            admin.execute("ALTER DATABASE friren RESET default_transaction_read_only")


@contextlib.contextmanager
def _no_login(ground: Ground, _proxy: FaultProxy) -> Iterator[None]:
    with ground.connect() as admin:
        admin.execute("ALTER ROLE friren NOLOGIN")
        _end_sessions(admin)
        try:
            yield
        finally:
            admin.execute("ALTER ROLE friren LOGIN")


@contextlib.contextmanager
def _locked(ground: Ground, _proxy: FaultProxy) -> Iterator[None]:
    with ground.connect() as admin, admin.transaction():
        admin.execute("LOCK TABLE trading_engine_trade, trading_engine_order IN ACCESS EXCLUSIVE MODE")
        yield


@contextlib.contextmanager
def _missing_table(ground: Ground, _proxy: FaultProxy) -> Iterator[None]:
    with ground.connect() as admin:
        admin.execute("ALTER TABLE trading_engine_trade RENAME TO mislaid")
        yield
        admin.execute("ALTER TABLE mislaid RENAME TO trading_engine_trade")


def _each_insert(body: str) -> Fault:
    """Let the server do something before it takes orders or trades."""

    @contextlib.contextmanager
    def fault(ground: Ground, _proxy: FaultProxy) -> Iterator[None]:
        tables = ("trading_engine_trade", "trading_engine_order")
        with ground.connect() as admin:
            admin.execute(
                f"CREATE OR REPLACE FUNCTION laboratory_fault() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN {body}; RETURN NULL; END $$"
            )
            for table in tables:
                admin.execute(f"CREATE TRIGGER laboratory BEFORE INSERT ON {table} EXECUTE FUNCTION laboratory_fault()")
            yield
            for table in tables:
                admin.execute(f"DROP TRIGGER laboratory ON {table}")

    return fault


def _error(sqlstate: str) -> Fault:
    return _each_insert(f"RAISE EXCEPTION 'made by the laboratory' USING ERRCODE = '{sqlstate}'")


FAULTS: Final[dict[str, Fault]] = {
    "connections refused": _refused,
    "connections reset": _reset,
    "black hole": _black_hole,
    "slow network": _slow_network,
    "crash": _crash,
    "fast shutdown": _fast_shutdown,
    "immediate shutdown": _immediate_shutdown,
    "frozen server": _frozen,
    "sessions terminated": _terminated,
    "too many connections": _too_many_connections,
    "read-only server": _read_only,
    "login refused": _no_login,
    "locked tables": _locked,
    "slow statements": _each_insert("PERFORM pg_sleep(6)"),
    "deadlocks": _error("40P01"),
    "serialization failures": _error("40001"),
    "idle in transaction": _error("25P03"),
    "full disk of the server": _error("53100"),
    "out of memory": _error("53200"),
    "no rights": _error("42501"),
    "missing table": _missing_table,
}


def through_all(
    ground: Ground, proxy: FaultProxy, *, lasts: float, names: tuple[str, ...] = tuple(FAULTS), variant: str = ""
) -> Result:
    """
    Let a process log through all faults, from more threads than it has connections, and note how soon it is back.

    Args:
        lasts: seconds of each fault.
    """
    options = {"mode": "direct", "threads": 4, "count": 1_000_000, "pace": 0.01}
    lifted: dict[str, tuple[float, float]] = {}
    with Crew(ground, FRIREN_WRITE_CONNECTIONS="2", **proxied(ground, proxy)) as crew:
        with crew.at_work("log", number=1, options=options, variant=variant) as child:
            child.began()
            for name in names:
                time.sleep(0.5)
                began = time.monotonic()
                with FAULTS[name](ground, proxy):
                    time.sleep(lasts)
                lifted[name] = (began, time.monotonic())
            time.sleep(2 * BACK_SECONDS)
        history = taken(child)
        result = judge(crew, history)
    back = {name: _back(history, end) for name, (_began, end) in lifted.items()}
    during = {name: outcomes([call for call in history if began <= call.at < end])
              for name, (began, end) in lifted.items()}  # fmt: skip
    result.figures |= {"back_seconds": back, "during": during, "calls": len(history)}
    result.figures["late"] = [name for name, seconds in back.items() if seconds is not None and seconds > BACK_SECONDS]
    result.wrong += [f"{name}: nothing was stored any more" for name, seconds in back.items() if seconds is None]
    return result


def _back(history: list[Call], moment: float) -> float | None:
    """Return how long after a moment a call was stored."""
    found = [call.at - moment for call in history if call.outcome == "STORED" and call.at >= moment]
    return round(min(found), 3) if found else None
