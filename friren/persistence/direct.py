"""The direct way into the database: a ready connection, a deadline, and another try after passing trouble."""

from __future__ import annotations

import logging
from asyncio import _get_running_loop
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from friren.errors import RejectedRecordError
from friren.persistence.circuit import Circuit
from friren.persistence.clock import CLOCK, Clock
from friren.persistence.deadline import bounded_wrapper
from friren.persistence.event_loops import outside_event_loop
from friren.persistence.pool import Pool
from friren.persistence.retry import Phase, Verdict, judge, sqlstate_of
from friren.persistence.settings import DATABASE_SHARE, RETRIES_MAX, RETRY_PAUSE_SECONDS

__all__ = ["Direct", "line"]

log = logging.getLogger(__name__)
Result = TypeVar("Result")


class Direct:
    """
    Runs work on connections of its own.

    Args:
        using: alias of the database in Django's settings.
        alias: under which the work sees the connection.
        deadline: seconds that it may take.
        producer: the writer, kept with what is inserted one by one.
        wake: asks the background for a connection.
        failed: told of a connection that broke.
        connection: makes one that is not connected yet, see `bounded_wrapper`.
    """

    def __init__(
        self,
        using: str,
        alias: str,
        *,
        deadline: float,
        producer: UUID,
        circuit: Circuit,
        wake: Callable[[], None],
        failed: Callable[[object], None],
        connection: Callable[..., BaseDatabaseWrapper] = bounded_wrapper,
        clock: Clock = CLOCK,
    ) -> None:
        self.alias, self.deadline, self._circuit, self._failed, self._clock = alias, deadline, circuit, failed, clock
        self.pool = Pool(
            lambda: connection(using, alias, deadline=deadline, producer=producer),
            wake=wake,
            usable=lambda: circuit.closed,
            clock=clock,
        )

    def run(self, work: Callable[[str], Result], *, deadline: float | None = None) -> Result | None:
        """
        Run `work(alias)`, and again after passing trouble, within the deadline.

        Returns:
            What it returns, or None when the database cannot do it now. A write may have happened all the
            same: its facts know themselves by id and digest.

        Raises:
            RejectedRecordError: the data are wrong.
        """
        if _get_running_loop() is not None:
            with outside_event_loop():
                return self.run(work, deadline=deadline)
        clock = self._clock
        until = clock.now() + (self.deadline if deadline is None else deadline) * DATABASE_SHARE
        for _attempt in range(RETRIES_MAX + 1):
            wrapper = self.pool.borrow(until) if self._circuit.closed else None
            if wrapper is None:
                if self.pool.open == 0 and self._circuit.closed:
                    # Nobody answered in all that time: the next caller shall not wait for it again.
                    self._failed("no connection could be had within the deadline")
                return None
            self.pool.lend(wrapper, self.alias, until)
            try:
                return work(self.alias)
            except Error as exc:
                if not self._may_retry(exc):
                    return None
            finally:
                self.pool.take_back(wrapper, self.alias)
            if clock.now() + RETRY_PAUSE_SECONDS >= until:
                return None
            clock.sleep(RETRY_PAUSE_SECONDS * clock.jitter())
        return None

    def _may_retry(self, error: Error) -> bool:
        verdict = judge(error, Phase.COMMIT).verdict
        if verdict is Verdict.REFUSE:
            raise RejectedRecordError("", None, f"the database refuses this record: {error}") from error
        if verdict is Verdict.RECONNECT:
            self._failed(error)
        elif verdict is Verdict.HOLD:
            log.error("the database cannot do this now (SQLSTATE %s): %s", sqlstate_of(error), line(error))
        return verdict is Verdict.RETRY


def line(what: object) -> str:
    """Return the text of an error as one line."""
    return " ".join(str(what).split())
