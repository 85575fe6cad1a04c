"""Administrative steps: long work on a connection of its own, bounded, whose failure is one plain line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from friren.errors import DatabaseUnavailableError, RejectedRecordError
from friren.persistence.aliases import alias_of
from friren.persistence.deadline import bounded_wrapper
from friren.persistence.direct import line
from friren.persistence.event_loops import outside_event_loop
from friren.persistence.retry import Phase, Verdict, judge
from friren.persistence.settings import STEP_DEADLINE_SECONDS

__all__ = ["step"]


@contextmanager
def step(what: str, *, using: str, deadline: float = STEP_DEADLINE_SECONDS) -> Iterator[str]:
    """
    Connect for a step that may take long, and yield the alias under which it sees the connection.

    Neither the pools of the loggers nor Django's own connection will do: the former are for calls that a trading loop
    waits for, the latter waits for ever when a server is frozen.

    Args:
        what: the step in a word or two, for the error.
        using: alias of the database.
        deadline: seconds that it may take.

    Raises:
        DatabaseUnavailableError: the database is away, or could not do it in time.
        RejectedRecordError: the database refuses the data.
    """
    alias = alias_of(using, "step")
    wrapper = bounded_wrapper(using, alias, deadline=deadline)
    try:
        with outside_event_loop(), _connected(wrapper, alias, deadline):
            yield alias
    except (Error, psycopg.Error) as exc:  # connecting raises the driver's own
        if judge(exc, Phase.COMMIT).verdict is Verdict.REFUSE:
            raise RejectedRecordError("", None, f"the database refuses {what}: {line(exc)}") from exc
        hint = " ".join((DatabaseUnavailableError.__doc__ or "").split())
        raise DatabaseUnavailableError(f"{what}: {line(exc)}. {hint}") from exc


@contextmanager
def _connected(wrapper: BaseDatabaseWrapper, alias: str, deadline: float) -> Iterator[None]:
    try:
        wrapper.connect()
        connection: Any = wrapper.connection
        connection.deadline_at = time.monotonic() + deadline
        connections[alias] = wrapper
        yield
    finally:
        if wrapper.connection is not None:
            wrapper.connection.close()
        if getattr(connections, alias, None) is wrapper:
            del connections[alias]
