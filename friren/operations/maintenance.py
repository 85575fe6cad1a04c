"""
What a database wants done now and then: vacuum, analyze, lean indexes, months ahead, a short log.

Nothing here holds up a writer: VACUUM and REINDEX CONCURRENTLY wait for locks, and are given up rather than waited for.
"""

from __future__ import annotations

import datetime as dt
import logging
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

import psycopg
from django.apps import apps
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone
from psycopg import sql

from friren.core.models import SeriesModel
from friren.core.partitions import ensure_months
from friren.embedded.cluster import LOG_BYTES_MAX
from friren.embedded.location import locate
from friren.errors import ArchiveError
from friren.operations.archive.policies import policies
from friren.operations.archive.service import archive as archive_rows
from friren.operations.connectivity import connect_directly, one_line

__all__ = ["NAMED_ONLY", "STEPS", "maintain", "months_ahead"]

log = logging.getLogger(__name__)

# Fewer rows that are dead or new are not worth a pass; of a large table autovacuum waits for a fifth and a tenth.
ROWS_MIN: Final = 1000
SHARE_MIN: Final = 0.05
LIMITS: Final = {"rows": ROWS_MIN, "share": SHARE_MIN}
# An index that is this much larger than its entries need, and large enough to matter.
BLOAT_MIN: Final = 0.5
INDEX_BYTES_MIN: Final = 8 * 1024 * 1024
# How long to wait for a table or index that someone has locked, before it is left for the next time.
LOCK_WAIT: Final = "10s"
# A month that a bar arrives in must be there before it; an operator may forget maintenance for one.
MONTHS_AHEAD: Final = 2
# Each is a table of its own, which every plan of a query over all of them has to look at.
MONTHS_AHEAD_MAX: Final = 60

Action = dict[str, Any]

_DEAD: Final = """
    SELECT schemaname, relname, n_dead_tup FROM pg_stat_user_tables
    WHERE n_dead_tup >= %(rows)s AND n_dead_tup >= %(share)s * (n_live_tup + n_dead_tup) ORDER BY n_dead_tup DESC
"""
# A partitioned table is counted as a whole, which autovacuum never does: its own statistics are otherwise never made.
_UNKNOWN: Final = """
    SELECT n.nspname, c.relname, sum(s.n_mod_since_analyze)::bigint AS changed
    FROM pg_stat_user_tables s
    JOIN pg_class c ON c.oid = coalesce(pg_partition_root(s.relid), s.relid)
    JOIN pg_namespace n ON n.oid = c.relnamespace
    GROUP BY n.nspname, c.relname
    HAVING sum(s.n_mod_since_analyze) >= greatest(%(rows)s, %(share)s * sum(s.n_live_tup)) ORDER BY changed DESC
"""
# What a B-tree needs: per row a line pointer of 4 bytes and a tuple header of 8, its columns padded to 8, in pages of
# which a tenth is left free for inserts. Rows and widths are those of the last ANALYZE.
_BLOATED: Final = """
    SELECT n.nspname, c.relname, pg_relation_size(c.oid) AS size,
           c.reltuples * (12 + 8 * ceil(sum(coalesce(s.avg_width, 8))::numeric / 8))::float / 0.9 AS needed
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class t ON t.oid = i.indrelid
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) AS k (attnum)
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
    LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = t.relname AND s.attname = a.attname
    WHERE i.indisvalid AND n.nspname !~ '^pg_' AND c.relkind = 'i' AND c.reltuples >= 0
      AND pg_relation_size(c.oid) >= %(bytes)s
    GROUP BY n.nspname, c.relname, c.oid, c.reltuples
    ORDER BY 3 DESC
"""
# What a REINDEX CONCURRENTLY that was interrupted leaves behind.
_LEFT_OVER: Final = """
    SELECT n.nspname, c.relname, c.relname ~ '_cc(new|old)[0-9]*$' FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND n.nspname !~ '^pg_' AND c.relkind = 'i' ORDER BY 1, 2
"""


def vacuum(session: psycopg.Connection[Any], *, everything: bool) -> Iterator[Action]:
    """Vacuum and analyze the tables that have many dead rows, or every table."""
    limits = {"rows": 0, "share": 0} if everything else LIMITS
    for schema, table, dead in session.execute(_DEAD, limits).fetchall():
        yield _run(session, "vacuum", "VACUUM (ANALYZE, SKIP_LOCKED) {}", schema, table, dead_rows=dead)


def analyze(session: psycopg.Connection[Any], *, everything: bool) -> Iterator[Action]:
    """Let the planner count again where much has changed since it did, or everywhere."""
    if everything:
        yield _run(session, "analyze", "ANALYZE")
        return
    for schema, table, changed in session.execute(_UNKNOWN, LIMITS).fetchall():
        yield _run(session, "analyze", "ANALYZE (SKIP_LOCKED) {}", schema, table, changed_rows=changed)


def reindex(session: psycopg.Connection[Any], *, everything: bool) -> Iterator[Action]:
    """Rebuild indexes that are much larger than they need to be, beside the writers, and what such a run left over."""
    for schema, index, leftover in session.execute(_LEFT_OVER).fetchall():
        statement = "DROP INDEX CONCURRENTLY IF EXISTS {}" if leftover else "REINDEX INDEX CONCURRENTLY {}"
        yield _run(session, "drop_index" if leftover else "reindex", statement, schema, index)
    for schema, index, size, needed in session.execute(_BLOATED, {"bytes": 0 if everything else INDEX_BYTES_MIN}):
        bloat = max(0.0, 1 - needed / size) if size else 0.0
        if everything or bloat >= BLOAT_MIN:
            done = _run(session, "reindex", "REINDEX INDEX CONCURRENTLY {}", schema, index, bytes_before=size)
            yield done | {"bloat": round(bloat, 2), "bytes_after": _size(session, schema, index)}


def partitions(_session: psycopg.Connection[Any], *, everything: bool) -> Iterator[Action]:
    """Make the months of every time series that are about to begin."""
    del everything
    began = time.monotonic()
    for table, made in months_ahead(MONTHS_AHEAD).items():
        yield {"action": "partitions", "object": table, "seconds": _since(began), "made": made}


def rotate_logs(_session: psycopg.Connection[Any], *, everything: bool) -> Iterator[Action]:
    """Begin the embedded server's log anew when it is long; one older log is kept. A server's own is the server's."""
    if not settings.FRIREN_EMBEDDED:
        return
    path = locate(settings.FRIREN_HOME, binaries=settings.FRIREN_EMBEDDED_BIN).log
    size = path.stat().st_size if path.exists() else 0
    if size > (0 if everything else LOG_BYTES_MAX):
        began = time.monotonic()
        # The server keeps its file open. What it writes between the two lines is lost, of a log.
        shutil.copyfile(path, path.with_suffix(".log.1"))
        with path.open("r+b") as file:
            file.truncate()
        yield {"action": "rotate_logs", "object": str(path), "seconds": _since(began), "bytes": size}


def archive(_session: psycopg.Connection[Any], *, everything: bool) -> Iterator[Action]:
    """Move rows to the archive that are older than their tables keep them."""
    del everything
    for policy in (policy for policy in policies() if policy.days):
        began = time.monotonic()
        done: Action = {"action": "archive", "object": policy.table}
        try:
            done["rows"] = sum(moved.rows for moved in archive_rows([policy.table], now=timezone.now()))
        except ArchiveError as exc:
            # The others can be done all the same.
            log.warning("%s was not archived: %s", policy.table, one_line(exc))
            done["error"] = one_line(exc)
        yield done | {"seconds": _since(began)}


# Rows that leave a table leave room for vacuum.
STEPS: Final[Mapping[str, Callable[..., Iterator[Action]]]] = {
    "archive": archive,
    "vacuum": vacuum,
    "analyze": analyze,
    "reindex": reindex,
    "partitions": partitions,
    "rotate_logs": rotate_logs,
}
# What is done only when it is asked for by its name: whoever has not decided where old rows go keeps them.
NAMED_ONLY: Final = frozenset({"archive"})


def maintain(steps: Collection[str], *, everything: bool = False, using: str = DEFAULT_DB_ALIAS) -> list[Action]:
    """
    Do some of STEPS, in the order of STEPS, as far as each is needed.

    Args:
        steps: which.
        everything: needed or not.

    Returns:
        What was done: `action`, `object`, `seconds`, and `error` where it was given up.

    Raises:
        psycopg.Error: the database does not answer.
    """
    with connect_directly(using) as session:
        session.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_WAIT])
        session.execute("SET statement_timeout = 0")
        return [
            action for name, step in STEPS.items() if name in steps for action in step(session, everything=everything)
        ]


def months_ahead(count: int, *, using: str = DEFAULT_DB_ALIAS) -> dict[str, int]:
    """Make this month and `count` months after it for every time series; return how many were missing, by table."""
    first = timezone.now().date().replace(day=1)
    months = [first]
    for _ in range(count):
        months.append((months[-1] + dt.timedelta(days=31)).replace(day=1))
    tables = [model._meta.db_table for model in apps.get_models() if issubclass(model, SeriesModel)]
    return {table: ensure_months(table, months, using=using) for table in tables}


def _run(
    session: psycopg.Connection[Any], action: str, statement: str, schema: str = "", name: str = "", **told: Any
) -> Action:
    began = time.monotonic()
    done: Action = {"action": action, "object": f"{schema}.{name}" if name else "", **told}
    try:
        session.execute(sql.SQL(statement).format(sql.Identifier(schema, name)) if name else sql.SQL(statement))
    except psycopg.OperationalError as exc:
        if session.broken:
            raise
        # Locked, or no room: the others can be done all the same.
        log.warning("%s of %s was given up: %s", action, done["object"], one_line(exc))
        done["error"] = one_line(exc)
    return done | {"seconds": _since(began)}


def _size(session: psycopg.Connection[Any], schema: str, index: str) -> int:
    (size,) = session.execute(
        "SELECT pg_relation_size(to_regclass(format('%%I.%%I', %s::text, %s::text)))", [schema, index]
    ).fetchone() or (0,)
    return int(size)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
