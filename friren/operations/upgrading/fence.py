"""
Keep writers out while a database is upgraded: what they stored after the backup, a restore would lose.

New sessions begin read-only, by a setting of the database, and those that are there are ended. Readers read on; bots
are told 25006 (read-only), and journal. The setting goes with the database, so a process that is killed leaves it up,
and a database that was restored in its place has none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from psycopg import sql

from friren.errors import UpgradeError
from friren.operations.backup.programs import connect
from friren.operations.connectivity import one_line

__all__ = ["is_up", "lower", "pull_up", "through"]

# A session ends as soon as it looks; one that does not is stuck in the kernel, on a disk that does not answer.
_END_SECONDS_MAX: Final = 30.0
_POLL_SECONDS: Final = 0.05
_SETTING: Final = "default_transaction_read_only"
_UP: Final = """
    SELECT EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
        WHERE d.datname = current_database() AND s.setrole = 0
            AND 'default_transaction_read_only=on' = ANY (s.setconfig))
"""
# Those that began before the setting was changed, and so do not have it. When the session of another role began is
# told to members of pg_read_all_stats alone; where it is not, it counts as one of them. Autovacuum is nobody's.
_END: Final = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND usesysid IS NOT NULL AND pid <> pg_backend_pid()
        AND coalesce(backend_start, '-infinity') <= %s
"""


def is_up() -> bool:
    """Return whether sessions of the configured database begin read-only."""
    with connect() as session:
        return session.execute(_UP).fetchone() == (True,)


def pull_up() -> None:
    """
    Keep writers out; when this returns, no transaction of theirs is open.

    Raises:
        UpgradeError: this role may not, and nothing is changed.
    """
    _change(on=True)


def lower() -> None:
    """Let writers in again. Sessions that began read-only are ended: they would stay so."""
    _change(on=False)


@contextmanager
def through() -> Iterator[None]:
    """Let the connections of this process write all the same."""

    def lift(connection: BaseDatabaseWrapper, **_: Any) -> None:
        if connection.alias == DEFAULT_DB_ALIAS:
            with connection.cursor() as cursor:
                cursor.execute(f"SET {_SETTING} = off")

    _close_ours()
    connection_created.connect(lift, weak=False, dispatch_uid=lift)
    try:
        yield
    finally:
        connection_created.disconnect(dispatch_uid=lift)
        _close_ours()


def _change(*, on: bool) -> None:
    _close_ours()
    change = "SET {} = on" if on else "RESET {}"
    with connect() as session:
        database = sql.Identifier(session.info.dbname)
        session.execute(f"SET {_SETTING} = off")
        try:
            session.execute(sql.SQL("ALTER DATABASE {} ").format(database) + sql.SQL(change.format(_SETTING)))
            _end_others(session)
        except (psycopg.Error, UpgradeError) as exc:
            if on:
                session.execute(sql.SQL("ALTER DATABASE {} ").format(database) + sql.SQL(f"RESET {_SETTING}"))
            told = one_line(exc)
            raise UpgradeError(
                f"writers cannot be kept out: {told}: be a superuser, or the migrator of `setup_database --roles`"
                if on
                else f"writers cannot be let in again: {told}"
            ) from exc


def _end_others(session: psycopg.Connection[Any]) -> None:
    (since,) = session.execute("SELECT clock_timestamp()").fetchone() or (None,)
    deadline = time.monotonic() + _END_SECONDS_MAX
    while session.execute(_END, [since]).fetchone() != (0,):
        if time.monotonic() > deadline:
            raise UpgradeError(f"a session did not end within {_END_SECONDS_MAX:.0f} s")
        time.sleep(_POLL_SECONDS)


def _close_ours() -> None:
    """Close the connections of this thread, and those that wait in its pool."""
    connections.close_all()
    close_pool = getattr(connections[DEFAULT_DB_ALIAS], "close_pool", None)
    if close_pool is not None:
        close_pool()
