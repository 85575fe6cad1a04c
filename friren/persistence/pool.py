"""
Connections that are ready: opened in the background, lent for one call.

The calling thread never connects. It takes a connection that is open, or waits for one until its deadline.
"""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import TransactionStatus

from friren.persistence.clock import CLOCK, Clock
from friren.persistence.settings import CONNECTIONS_MAX

__all__ = ["Pool"]


class Pool:
    """
    Open connections to one database.

    Args:
        make: returns a new wrapper, not connected.
        wake: tells whoever calls `connect_wanted` that there is something to do.
        usable: whether the database may be asked at all.
    """

    def __init__(
        self,
        make: Callable[[], BaseDatabaseWrapper],
        *,
        wake: Callable[[], None],
        usable: Callable[[], bool],
        size: int = CONNECTIONS_MAX,
        clock: Clock = CLOCK,
    ) -> None:
        self._clock = clock
        self._make, self._wake, self._usable, self._size = make, wake, usable, size
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._ready: collections.deque[BaseDatabaseWrapper] = collections.deque()
        self._all: set[BaseDatabaseWrapper] = set()
        # By thread. A call that an exception from outside cut off may not have given back what it had.
        self._lent: dict[int, BaseDatabaseWrapper] = {}
        self._wanted = 0

    @property
    def open(self) -> int:
        """How many connections are open, lent ones included."""
        return len(self._all)

    def borrow(self, until: float) -> BaseDatabaseWrapper | None:
        """Return an open connection, None when there is none at `until` (by its clock) or none can be had."""
        thread = threading.get_ident()
        with self._lock:
            if thread in self._lent:
                self._forget(thread)
            if not self._ready and not self._await(until):
                return None
            # The one used last: the others may rest, and what rests long is found out by the server's end.
            # It is noted before it is taken, and given back before the note goes.
            self._lent[thread] = wrapper = self._ready[-1]
            self._ready.pop()
            return wrapper

    def _forget(self, thread: int) -> None:
        """Close what this thread has not given back; called with the lock held."""
        wrapper = self._lent.pop(thread)
        if wrapper in self._ready or wrapper in self._lent.values():
            return  # its call was cut off before it took it, or after it gave it back
        self._all.discard(wrapper)
        connection: Any = wrapper.connection
        if connection is not None:
            connection.close()

    def _await(self, until: float) -> bool:
        self._wanted += 1
        try:
            if len(self._all) < self._size:
                self._wake()
            left = until - self._clock.now()
            met = self._clock.wait_for(self._changed, lambda: bool(self._ready) or not self._usable(), left)
            return met and bool(self._ready)
        finally:
            self._wanted -= 1

    def lend(self, wrapper: BaseDatabaseWrapper, alias: str, until: float | None) -> None:
        """Let this thread's ORM use a borrowed connection under `alias` until the moment `until`, or `take_back`."""
        connection: Any = wrapper.connection
        connection.deadline_at = until
        connections[alias] = wrapper

    def take_back(self, wrapper: BaseDatabaseWrapper, alias: str) -> None:
        """Have a connection that was lent; one that is not as it was is closed."""
        del connections[alias]
        connection: Any = wrapper.connection
        sound = (
            connection is not None
            and not connection.closed
            and connection.pgconn.transaction_status == TransactionStatus.IDLE
            and not wrapper.in_atomic_block
        )
        if not sound and connection is not None:
            connection.close()
        with self._lock:
            if sound and self._usable():
                self._ready.append(wrapper)
            else:
                if sound:
                    connection.close()
                self._all.discard(wrapper)
            self._lent.pop(threading.get_ident(), None)
            if self._wanted:
                self._changed.notify()

    def connect_wanted(self) -> None:
        """
        Open a connection for every caller that waits for one. Blocks; for a background thread only.

        Raises:
            Exception: whatever connecting raises.
        """
        while True:
            with self._changed:
                if self._wanted <= len(self._ready) or len(self._all) >= self._size:
                    return
            self.connect()

    def connect(self) -> None:
        """Open one connection. Blocks; for a background thread only. Raises whatever connecting raises."""
        wrapper = self._make()
        try:
            wrapper.connect()
        except BaseException:
            # It may have broken while it was being set up.
            if wrapper.connection is not None:
                wrapper.connection.close()
            raise
        with self._changed:
            self._all.add(wrapper)
            self._ready.append(wrapper)
            self._changed.notify()

    def close(self) -> None:
        """Close what is not lent; what is lent is closed when it comes back, unless the database is usable again."""
        with self._lock:  # not by way of the condition: a caller may be cut off here, and must not keep it
            while self._ready:
                wrapper = self._ready.pop()
                self._all.discard(wrapper)
                connection: Any = wrapper.connection
                connection.close()
            self._changed.notify_all()
