"""The figures, each from where it is known: PostgreSQL's statistics, the pools of this process, the write path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from django.db import DEFAULT_DB_ALIAS, ProgrammingError, connections

from friren.operations.health.surroundings import pool_figures
from friren.operations.health.write_path import figures as write_path_figures
from friren.operations.metrics.calls import call_times
from friren.persistence.call_times import CallTimes

__all__ = ["Figures", "Sample", "collect", "register_figure"]

Ask = Callable[[str], list[Any]]
_figures: dict[str, str] = {}

_CONNECTIONS: Final = """
    SELECT coalesce(state, 'unknown'), count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY 1 ORDER BY 1
"""
_RUNNING: Final = """
    SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0)::float,
           count(*) FILTER (WHERE wait_event_type = 'Lock')
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND state = 'active'
      AND pid <> pg_backend_pid()
"""
_DATABASE: Final = """
    SELECT xact_commit, xact_rollback, tup_inserted, tup_updated, tup_deleted, tup_returned, deadlocks, temp_bytes,
           blks_hit, blks_read
    FROM pg_stat_database WHERE datname = current_database()
"""
_DATABASE_FIGURES: Final = (
    "commits", "rollbacks", "rows_inserted", "rows_updated", "rows_deleted", "rows_read", "deadlocks", "temp_bytes",
    "blocks_hit", "blocks_read",
)  # fmt: skip
# A partitioned table is told with all its partitions. The number of rows is PostgreSQL's own estimate: to count them
# would take longer with every row. It is -1 for what was never analysed.
_TABLES: Final = """
    SELECT relation::regclass::text, sum(pg_total_relation_size(oid))::bigint, sum(greatest(reltuples, 0))::bigint
    FROM (
        SELECT c.oid, coalesce(pg_partition_root(c.oid), c.oid) AS relation, c.reltuples
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ) AS tables
    GROUP BY relation ORDER BY 2 DESC, 1
"""


class Sample(NamedTuple):
    """One figure: its name, its value, and which of several it is."""

    name: str
    value: float
    labels: Mapping[str, str] = {}


class Figures(msgspec.Struct, frozen=True):
    """
    What was found, by where it was found.

    Attributes:
        pool: `connections` to the database by state, how many the server takes (`connections_max`), and the pools of
            this process by alias.
        queries: how many are `running`, of these `waiting` for a lock, and for how long the `longest_seconds`.
        storage: `database_bytes`, and `tables` with bytes and about how many rows.
        throughput: counted by PostgreSQL since its statistics were reset (`commits`, `rows_inserted`, …), and
            `cache_hit_ratio`, the share of blocks that were in its memory (0 to 1, null before the first); and what
            upper floors count.
        write_path: the account of every record, see `manage.py health`.
        calls: how long reads of services took, in the processes of this machine.
    """

    pool: dict[str, Any]
    queries: dict[str, Any]
    storage: dict[str, Any]
    throughput: dict[str, Any]
    write_path: dict[str, Any]
    calls: list[CallTimes] = []

    def samples(self) -> Iterator[Sample]:
        """Return every figure with a name of its own."""
        for state, count in self.pool["connections"].items():
            yield Sample("connections", count, {"state": state})
        yield Sample("connections_max", self.pool["connections_max"])
        for alias, pool in self.pool["pools"].items():
            for name, value in pool.items():
                yield Sample(f"pool_{name}", value, {"alias": alias})
        for name, value in self.queries.items():
            yield Sample(f"queries_{name}", value)
        yield Sample("database_bytes", self.storage["database_bytes"])
        for table, (size, rows) in self.storage["tables"].items():
            yield Sample("table_bytes", size, {"table": table})
            yield Sample("table_rows", rows, {"table": table})
        for group, figures in (("", self.throughput), ("write_path_", self.write_path)):
            for name, value in figures.items():
                if value is not None:
                    yield Sample(group + name, value)


def register_figure(name: str, question: str) -> None:
    """Add a figure of an upper floor to the throughput: a query of one row and one number."""
    _figures[name] = question


def _asked(ask: Ask) -> dict[str, float]:
    try:
        return {name: float(ask(question)[0][0]) for name, question in _figures.items()}
    except ProgrammingError:
        # Tables that are not there yet, or that this role may not look at: the other figures are told all the same.
        return {}


def collect(using: str = DEFAULT_DB_ALIAS) -> Figures:
    """
    Ask the server and this process for every figure.

    Raises:
        DatabaseError: the database does not answer.
    """
    with connections[using].cursor() as cursor:

        def ask(query: str) -> list[Any]:
            cursor.execute(query)
            return list(cursor.fetchall())

        ((connections_max,),) = ask("SELECT current_setting('max_connections')::int")
        ((running, longest, waiting),) = ask(_RUNNING)
        ((database_bytes,),) = ask("SELECT pg_database_size(current_database())")
        (counted,) = ask(_DATABASE)
        throughput = dict(zip(_DATABASE_FIGURES, counted, strict=True))
        hit, read = throughput.pop("blocks_hit"), throughput.pop("blocks_read")
        return Figures(
            pool={"connections": dict(ask(_CONNECTIONS)), "connections_max": connections_max, "pools": pool_figures()},
            queries={"running": running, "waiting": waiting, "longest_seconds": round(longest, 3)},
            storage={
                "database_bytes": database_bytes,
                "tables": {table: (size, rows) for table, size, rows in ask(_TABLES)},
            },
            throughput=throughput
            | {"cache_hit_ratio": round(hit / (hit + read), 6) if hit + read else None}
            | _asked(ask),
            write_path=write_path_figures(),
            calls=call_times(),
        )
