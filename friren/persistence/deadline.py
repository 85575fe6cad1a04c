"""
Connections that never keep their caller longer than agreed.

No timeout of PostgreSQL, of libpq or of the kernel bounds a call to a server that is frozen, or whose network
swallows packets while acknowledging them. Waiting for the socket is the one place where every call passes.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend
from psycopg.abc import PQGen

from friren.persistence.prepared import Prepared
from friren.persistence.settings import LOCK_WAIT_SHARE, STATEMENT_SHARE

__all__ = ["BoundedConnection", "DeadlineExceededError", "WorkTooLongError", "bounded_wrapper"]

Result = TypeVar("Result")


class DeadlineExceededError(psycopg.OperationalError):
    """The server did not answer in time; the connection is closed, since its state is unknown."""


class WorkTooLongError(DeadlineExceededError):
    """
    The time was over before the server was asked: it is the work that is long, the server did answer.

    Bears the code of a cancelled query, so that it is judged as one: it says nothing about the connection.
    """

    sqlstate = "57014"


class BoundedConnection(psycopg.Connection[Any]):
    """
    A connection whose every wait ends at `deadline_at`.

    Attributes:
        deadline_at: a moment of time.monotonic(), or None for the ordinary behaviour.
    """

    deadline_at: float | None = None
    friren_prepared: Prepared | None = None

    def rollback(self) -> None:
        """Roll back; psycopg then has the server let go of all that was prepared on the connection, ours too."""
        super().rollback()
        if self.friren_prepared is not None:
            self.friren_prepared.names.clear()

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        """Consume a generator of psycopg's that operates on this connection, until the deadline at most."""
        if self.deadline_at is None:
            return super().wait(gen, interval, timeout)
        left = self.deadline_at - time.monotonic()
        if left <= 0:
            # Its transaction, if one is open, cannot be ended in time either.
            self.close()
            raise WorkTooLongError("the work was not done within the deadline")
        try:
            return super().wait(gen, min(interval, left), left)
        except psycopg.OperationalError as exc:
            if exc.sqlstate is None and time.monotonic() >= self.deadline_at:
                # Closing sends a farewell at most and waits for nothing.
                self.close()
                raise DeadlineExceededError("the server did not answer within the deadline") from exc
            raise


class _OneConnection:
    """
    A wrapper that connects once: whose connection breaks is given back, and never connects on a caller's thread.

    Django would do so at the end of a transaction that the connection did not survive, to restore its mode.
    """

    connection: Any
    autocommit: bool
    has_connected = False

    def connect(self) -> None:
        """Connect, the first time. Raises OperationalError."""
        if self.has_connected:
            raise psycopg.OperationalError("the connection broke, and its borrower opens no other")
        self.has_connected = True
        super().connect()  # type: ignore[misc]  # the backend's, which stands behind this class

    def set_autocommit(self, autocommit: bool, **options: Any) -> None:
        """Set the mode of the connection, if there is one left."""
        if self.connection is None and self.has_connected:
            self.autocommit = autocommit
        else:
            super().set_autocommit(autocommit, **options)  # type: ignore[misc]  # likewise


def bounded_wrapper(using: str, alias: str, *, deadline: float, producer: UUID | None = None) -> BaseDatabaseWrapper:
    """
    Return a new Django connection to the database `using` under another alias, not yet connected.

    Its lock and statement timeouts lie below the deadline, so that a server that lives says what the matter
    is in time, and a deadline that passes means a server that does not answer.

    Args:
        deadline: seconds that a call may take.
        producer: whose connection it is; kept with the rows that are inserted on it.
    """
    settings = dict(connections.settings[using])
    options = dict(settings.get("OPTIONS", {}))
    # One connection, held and closed by us: a pool's own back-off would add up to 20 s after an outage.
    options.pop("pool", None)
    limits = f"-c lock_timeout={deadline * LOCK_WAIT_SHARE * 1000:.0f} "
    limits += f"-c statement_timeout={deadline * STATEMENT_SHARE * 1000:.0f}"
    options["options"] = f"{options.get('options') or ''} {limits}".strip()
    settings |= {"OPTIONS": options, "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": False}
    wrapper: Any = _wrapper_class(settings["ENGINE"])(settings, alias)
    wrapper.producer = producer
    # It is handed from thread to thread, one at a time.
    wrapper.inc_thread_sharing()
    bounded: BaseDatabaseWrapper = wrapper
    return bounded


@functools.cache
def _wrapper_class(engine: str) -> Any:
    """Return the backend's own class of connections, with ours underneath."""
    backend: Any = load_backend(engine)
    psycopg_names: Mapping[str, Any] = {**vars(psycopg), "connect": BoundedConnection.connect}
    return type(
        "BoundedWrapper", (_OneConnection, backend.DatabaseWrapper), {"Database": SimpleNamespace(**psycopg_names)}
    )
