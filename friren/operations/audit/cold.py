"""Sealed rows that went into files: accounted for by their keys, and these by the audit entries of the runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.db import connections

from friren.core.models import AuditLog
from friren.operations.audit.compare import Fault
from friren.persistence.archived import COLD, COLD_TABLE, archive_of

__all__ = ["cold_faults", "cold_keys"]

# Whoever hides a row that he deleted among those that went cold changes how many there are of a run.
_RUNS: Final = f"""
    SELECT c.run, c.rows, a.rows FROM (SELECT run, count(*) AS rows FROM {COLD_TABLE} GROUP BY run) c
    LEFT JOIN (
        SELECT object_pk, max((after ->> 'rows')::bigint) AS rows FROM {AuditLog._meta.db_table}
        WHERE action = 'ARCHIVE' AND source = 'archive' AND after ->> 'status' = 'COMPLETED' GROUP BY object_pk
    ) a ON a.object_pk = 'run ' || c.run
    WHERE a.rows IS DISTINCT FROM c.rows ORDER BY c.run
"""


def cold_keys(first: int, last: int, using: str) -> frozenset[bytes]:
    """Return the ids, as 16 bytes, of rows numbered `first` to `last` that went into files."""
    if not _is_there(using):
        return frozenset()
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT id FROM {COLD_TABLE} WHERE recorded_seq BETWEEN %s AND %s", [first, last])
        return frozenset(key.bytes for (key,) in cursor.fetchall())


def cold_faults(using: str) -> Iterator[Fault]:
    """Yield the runs into files of which other rows are told than their audit entry says."""
    if not _is_there(using):
        return
    with connections[using].cursor() as cursor:
        cursor.execute(_RUNS)
        found = cursor.fetchall()
    for run, rows, told in found:
        what = f"run {run} keeps the keys of {rows} rows, and its audit entry tells of {told or 0}"
        yield Fault(table=COLD_TABLE, id=str(run), what=what)


def _is_there(using: str) -> bool:
    return archive_of(COLD, using) is not None
