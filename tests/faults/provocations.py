"""
Each kind of fault, provoked as it comes about in life: a network breaks, a server goes, another session is in the way.

All but two, which a trigger makes. To fill the server's disk would take a file system of its own. And nothing keeps a
statement of the write path, which writes one row, but a lock, which has a limit of its own, or what hangs on the table.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from friren.embedded import process
from tests.faults import rivals
from tests.faults.administrator import changed, each_insert, terminated, too_many_connections
from tests.faults.field import PASSWORD, ROLE, TABLES, Fault, Field
from tests.outages import frozen

__all__ = ["FAULTS"]

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
    "sessions terminated": Fault(terminated, "57P01"),
    "too many connections": Fault(too_many_connections, "53300"),
    "read-only server": Fault(
        changed("ALTER DATABASE friren SET default_transaction_read_only = on",
                 "ALTER DATABASE friren RESET default_transaction_read_only"),
        "25006",
    ),
    "login refused": Fault(changed(f"ALTER ROLE {ROLE} NOLOGIN", f"ALTER ROLE {ROLE} LOGIN"), "28000"),
    "wrong password": Fault(
        changed(f"ALTER ROLE {ROLE} PASSWORD 'another'", f"ALTER ROLE {ROLE} PASSWORD '{PASSWORD}'"), "28P01"
    ),
    "no rights": Fault(
        changed(f"REVOKE INSERT ON {_TRADES} FROM friren", f"GRANT INSERT ON {_TRADES} TO friren", at_once=False),
        "42501",
    ),
    "missing table": Fault(
        changed(f"ALTER TABLE {_TRADES} RENAME TO mislaid", f"ALTER TABLE mislaid RENAME TO {_TRADES}", at_once=False),
        "42P01",
    ),
    "locked tables": Fault(rivals.locked, "55P03"),
    "pool exhausted": Fault(rivals.pool_exhausted),
    "slow statements": Fault(each_insert("PERFORM pg_sleep(0.3)"), "57014"),
    "deadlocks": Fault(rivals.crosswise, "40P01"),
    "serialization failures": Fault(rivals.snapshots, "40001"),
    "idle in transaction": Fault(rivals.stopped, "25P03"),
    "out of memory": Fault(rivals.no_memory, "53200"),
    "full disk of the server": Fault(
        each_insert("RAISE EXCEPTION 'made by the laboratory' USING ERRCODE = '53100'"), "53100"
    ),
}  # fmt: skip
