"""Make a process ready to log; what `friren.setup()` and every command of ours go through."""

from __future__ import annotations

import logging
import os
import threading

import django

from friren.persistence.event_loops import outside_event_loop

__all__ = ["prepare_database", "setup"]

log = logging.getLogger(__name__)

_lock = threading.Lock()
_ready_in: int | None = None  # process id: a forked child looks again


def setup() -> None:
    """See `friren.setup`."""
    global _ready_in  # noqa: PLW0603 - one flag per process is what "safe to call twice" means
    if _ready_in == os.getpid():
        return
    with _lock:
        if _ready_in == os.getpid():
            return  # another thread was first
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "friren.settings")
        django.setup()
        with outside_event_loop():
            try:
                prepare_database()
            finally:
                _give_back_connection()
        _ready_in = os.getpid()


def _give_back_connection() -> None:
    """A thread that only calls setup() and ends would keep a connection of the pool for ever."""
    from django.db import connection

    if not connection.in_atomic_block:
        connection.close()


def prepare_database() -> None:
    """
    Start and migrate the embedded database; look at a server and change nothing.

    Raises:
        ConfigurationError: the embedded database cannot be started.
    """
    from django.conf import settings
    from django.db import Error

    from friren.operations import schema
    from friren.operations.connectivity import explain

    # A project of someone else's, with Friren among its apps, has settings of its own.
    if getattr(settings, "FRIREN_EMBEDDED", False) and settings.FRIREN_EMBEDDED_AUTOSTART:
        if schema.unapplied():
            _migrate()
        return
    try:
        missing = schema.unapplied()
    except Error as exc:
        # A bot has to come up while its database is down; what the write path does then is its own promise.
        log.warning("the database cannot be reached: %s", explain(exc))
        return
    if missing:
        log.warning("%d migrations are not applied: run `manage.py migrate`", len(missing))


def _migrate() -> None:
    from django.db import Error

    from friren.operations import schema
    from friren.persistence.retry import READ_ONLY, sqlstate_of

    try:
        schema.migrate()
    except Error as exc:
        if sqlstate_of(exc) != READ_ONLY:
            raise
        # Whoever upgrades has the database; a bot that starts meanwhile journals.
        log.warning("the database is being upgraded: records wait in the journal")
