"""Statements that took longer than DB_SLOW_QUERY_MS, in the log: their text, never their values."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from friren.environment import Environment

__all__ = ["register"]

log = logging.getLogger(__name__)

SHOWN_MAX: Final = 1000
SLOW_SECONDS: Final = Environment(os.environ).integer("DB_SLOW_QUERY_MS", default=0) / 1000


def register() -> None:
    """Watch every connection that Django opens from now on, when DB_SLOW_QUERY_MS is set."""
    if SLOW_SECONDS:
        connection_created.connect(_watch, dispatch_uid=__name__)


def _watch(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if _timed not in connection.execute_wrappers:
        connection.execute_wrappers.append(_timed)


def _timed(execute: Callable[..., Any], statement: Any, params: Any, many: bool, context: Any) -> Any:
    began = time.monotonic()
    try:
        return execute(statement, params, many, context)
    finally:
        taken = time.monotonic() - began
        if taken >= SLOW_SECONDS:
            text = " ".join(str(statement).split())[:SHOWN_MAX]
            log.warning("slow query: %.0f ms: %s", taken * 1000, text)
