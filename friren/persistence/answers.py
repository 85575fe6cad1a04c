"""What readers get while the database is away: the last good answer to the same question, with its age."""

from __future__ import annotations

import collections
import datetime as dt
import os
import threading
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from django.db import connections
from django.utils import timezone

from friren.persistence.aliases import database_of
from friren.persistence.engines import engine_for
from friren.persistence.settings import READ_CACHE_QUERIES_MAX, READ_CACHE_ROWS_MAX

__all__ = ["Answer", "ask", "forget_answers"]


class Answer(NamedTuple):
    """Rows, when they were read (None: never), and whether they are what was known before."""

    rows: list[Any]
    as_of: dt.datetime | None
    stale: bool


_kept: collections.OrderedDict[Hashable, Answer] = collections.OrderedDict()
_lock = threading.Lock()


def ask(key: Hashable, question: Callable[[str], list[Any]], *, using: str) -> Answer:
    """
    Return the answer of the database to `question(alias)`, or the last one that was given to `key`.

    A reader never gets an error for a database that is away, and never waits for it longer than a deadline.
    """
    as_of = timezone.now()
    if database_of(using) != using or connections[using].in_atomic_block:
        # Inside a transaction its own changes are asked for, which no other connection sees; and what asks by an
        # engine's connection is part of work for which that engine answers.
        return Answer(question(using), as_of, stale=False)
    rows = engine_for(using).read(question)
    if rows is None:
        with _lock:
            known = _kept.get((using, key))
        return Answer([], None, stale=True) if known is None else known._replace(stale=True, rows=list(known.rows))
    answer = Answer(rows, as_of, stale=False)
    if len(rows) <= READ_CACHE_ROWS_MAX:
        with _lock:
            _kept[using, key] = answer._replace(rows=list(rows))
            _kept.move_to_end((using, key))
            while len(_kept) > READ_CACHE_QUERIES_MAX:
                _kept.popitem(last=False)
    return answer


def forget_answers() -> None:
    """Forget what was answered; for a database that was emptied or replaced."""
    with _lock:
        _kept.clear()


def _begin_anew() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
