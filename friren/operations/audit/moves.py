"""Columns that may move are not sealed; the events that tell of each move are. Do the two agree?"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connections

from friren.operations.audit.compare import Fault
from friren.operations.moves import STATUS, registered_moves
from friren.persistence.archived import sources

__all__ = ["moved_unseen"]


def moved_unseen(using: str) -> Iterator[Fault]:
    """Yield rows whose status is another than their events say, within `one_snapshot`."""
    for moves in registered_moves():
        rows = _union("id, recorded_seq, status", moves.table, using)
        events = _union(f'"{moves.key}" AS moved, recorded_seq, to_status', moves.events, using)
        with connections[using].cursor() as cursor:
            cursor.execute(
                f"SELECT t.id, t.recorded_seq, t.status, coalesce(e.to_status, %s) FROM ({rows}) t LEFT JOIN "
                # An event without a status is a note about the row, and moves nothing.
                f"(SELECT DISTINCT ON (moved) moved, to_status FROM ({events}) s WHERE to_status <> '' "
                "ORDER BY moved, recorded_seq DESC) e "
                "ON e.moved = t.id WHERE t.status IS DISTINCT FROM coalesce(e.to_status, %s)",
                [moves.first, moves.first],
            )
            found = cursor.fetchall()
        for key, seq, held, told in found:
            what = f"status is {held}, and its events say {told}"
            yield Fault(table=moves.table, id=str(key), recorded_seq=seq, what=what, column=STATUS)


def _union(columns: str, table: str, using: str) -> str:
    return " UNION ALL ".join(f"SELECT {columns} FROM {source}" for source in sources(table, using))
