"""Faults that an administrator of the server brings about, knowing it or not."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from tests.faults.field import ROLE, TABLES, Field, Provoke

__all__ = ["changed", "each_insert", "terminated", "too_many_connections"]

# In which a process that was cut off is back.
SESSION_SECONDS_MAX: Final = 10.0


def end_sessions(admin: psycopg.Connection) -> int:
    """End the sessions of the role, and return how many there were."""
    found = admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [ROLE])
    return found.rowcount


@contextmanager
def terminated(field: Field) -> Iterator[None]:
    with field.ground.connect() as admin:
        # Right after another fault there may be no session yet that could be ended.
        deadline = time.monotonic() + SESSION_SECONDS_MAX
        while field.child is not None and not end_sessions(admin) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield
        end_sessions(admin)


@contextmanager
def too_many_connections(field: Field) -> Iterator[None]:
    with field.ground.connect() as admin, contextlib.ExitStack() as taken_up:
        end_sessions(admin)
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                taken_up.enter_context(contextlib.closing(field.ground.connect()))
        yield


def changed(change: str, back: str, *, at_once: bool = True, after: bool = False) -> Provoke:
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
                end_sessions(admin)
            try:
                yield
            finally:
                admin.execute(back)
                if after:
                    end_sessions(admin)

    return provoke


def each_insert(body: str) -> Provoke:
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
