"""Up to which number all facts are there to be sealed. Why: docs/decisions/0014 and 0032."""

from __future__ import annotations

import time
from typing import Any, Final

from django.db import connections

from friren.errors import DatabaseUnavailableError

__all__ = ["settled_horizon"]

# A commit takes a millisecond; a look at the snapshot a tenth of that.
POLL_SECONDS: Final = 0.02

_LAST: Final = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM friren_recorded_seq"
_HOLDING: Final = """
    SELECT pid, coalesce(application_name, ''), xact_start FROM pg_stat_activity
    WHERE backend_xid::text::bigint < (%s::bigint & 4294967295) ORDER BY xact_start LIMIT 1
"""


def settled_horizon(*, using: str, wait: float) -> int:
    """
    Return a number such that no transaction that is still running holds it or a lower one.

    A fact takes its transaction's id before its number, and ids are given in order: whoever holds a number up to the
    last one has a lower id than we, who ask for an id after we have read that number.

    Raises:
        DatabaseUnavailableError: a transaction that had begun to write before is still running after `wait` seconds.
    """
    horizon = int(_one(using, _LAST))
    own = int(_one(using, "SELECT pg_current_xact_id()::text"))
    deadline = time.monotonic() + wait
    while int(_one(using, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text")) <= own:
        if time.monotonic() > deadline:
            raise DatabaseUnavailableError(_held_up(using, own, wait))
        time.sleep(POLL_SECONDS)
    return horizon


def _held_up(using: str, own: int, wait: float) -> str:
    with connections[using].cursor() as cursor:
        cursor.execute(_HOLDING, [own])
        found = cursor.fetchone()
    who = f"process {found[0]} of the server ({found[1]}), writing since {found[2]}" if found else "a transaction"
    return f"nothing was sealed: {who}, has not ended within {wait:g} s; do it again later"


def _one(using: str, statement: str) -> Any:
    with connections[using].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]
