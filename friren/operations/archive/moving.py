"""
Moving rows between a table and its archive, a stretch of blocks at a time, each by one statement.

Killed at whatever moment, the server has done all of a statement or nothing: a row is in the one table or in the
other. Blocks and not keys bound a batch: each block is read once, whatever indexes there are, and dead rows of the
batches before are not waded through again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.db import IntegrityError, connections

from friren.errors import ArchiveError
from friren.operations.archive.bundles import free_of
from friren.operations.archive.policies import ArchivePolicy
from friren.operations.archive.settings import BATCH_BLOCKS
from friren.persistence.archived import ARCHIVE_SCHEMA, archive_of

__all__ = [
    "Batch", "Move", "MovedMeanwhileError", "Way", "back", "count", "digest_sql", "is_referred", "movable", "move",
    "move_ids", "stretches",
]  # fmt: skip

FOREIGN_KEY_VIOLATION: Final = "23503"

# What refers to rows of a table: table, column, and the column that is referred to.
_REFERENCES: Final = """
    SELECT c.conrelid::regclass::text, quote_ident(a.attname), quote_ident(k.attname) FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    JOIN pg_attribute k ON k.attrelid = c.confrelid AND k.attnum = c.confkey[1]
    WHERE c.contype = 'f' AND c.confrelid = to_regclass(%s) AND c.conparentid = 0 ORDER BY 1, 2
"""
# The tables in which rows lie: its partitions, but for months that begin after the last row that is looked for.
_LEAVES: Final = """
    SELECT leaf.oid::regclass::text, pg_relation_size(leaf.oid) / current_setting('block_size')::int
    FROM pg_class leaf WHERE leaf.oid IN (
        SELECT relid FROM pg_partition_tree(to_regclass(%(table)s)) WHERE isleaf
        UNION SELECT to_regclass(%(table)s) WHERE NOT EXISTS (SELECT FROM pg_partition_tree(to_regclass(%(table)s)))
    ) AND coalesce((regexp_match(pg_get_expr(leaf.relpartbound, leaf.oid), $$FROM \\('([^']+)'\\)$$))[1]::timestamptz
                   < %(until)s, true)
    ORDER BY 1
"""


class MovedMeanwhileError(ArchiveError):
    """Rows were changed or removed between the question for them and the move: ask again."""


class Batch(NamedTuple):
    """What one statement moved; `digest` is the sum of those of the rows."""

    rows: int
    first_seq: int
    last_seq: int
    digest: int


@dataclass(frozen=True, slots=True)
class Way:
    """
    From where to where, as the names of tables in SQL.

    Attributes:
        condition: what else is asked of a row `t` that goes.
    """

    source: str
    target: str
    condition: str


@dataclass(frozen=True, slots=True)
class Move:
    """
    Which rows go: those from `since` on and before `until`, with numbers from `first_seq` to `last_seq` where given.

    Attributes:
        columns: of both tables, quoted.
    """

    policy: ArchivePolicy
    way: Way
    columns: Sequence[str]
    until: dt.datetime
    since: dt.datetime | None = None
    first_seq: int | None = None
    last_seq: int | None = None

    def where(self, using: str) -> tuple[str, dict[str, Any]]:
        """Return the condition on a row `t`, and its parameters."""
        column = connections[using].ops.quote_name(self.policy.time_column)
        bounds = {
            f"t.{column} < %(until)s": ("until", self.until),
            f"t.{column} >= %(since)s": ("since", self.since),
            "t.recorded_seq >= %(first_seq)s": ("first_seq", self.first_seq),
            "t.recorded_seq <= %(last_seq)s": ("last_seq", self.last_seq),
        }
        given = {text: told for text, told in bounds.items() if told[1] is not None}
        texts = [*given, *([f"({self.way.condition})"] if self.way.condition else [])]
        return " AND ".join(texts), dict(given.values())


def movable(policy: ArchivePolicy, using: str) -> Way:
    """Return the way into the archive: it is open to rows that nothing refers to, and that may go."""
    name = connections[using].ops.quote_name
    live = name(policy.table)
    with connections[using].cursor() as cursor:
        cursor.execute(_REFERENCES, [live])
        kept = [
            f"NOT EXISTS (SELECT FROM {table} r WHERE r.{column} = t.{key})" for table, column, key in cursor.fetchall()
        ]
    # A percent sign would be taken for a parameter's.
    own = [f"({policy.movable.replace('%', '%%')})"] if policy.movable else []
    return Way(live, f"{name(ARCHIVE_SCHEMA)}.{live}", " AND ".join([*own, *kept]))


def back(policy: ArchivePolicy, using: str) -> Way | None:
    """Return the way out of the archive; None when there is no archive."""
    archived = archive_of(policy.table, using)
    if archived is None:
        return None
    return Way(archived, connections[using].ops.quote_name(policy.table), " AND ".join(free_of(policy, using)))


def count(one: Move, using: str) -> int:
    """Return how many rows would go now."""
    where, parameters = one.where(using)
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {one.way.source} t WHERE {where}", parameters)
        return int(cursor.fetchone()[0])


def stretches(one: Move, using: str) -> Iterator[tuple[str, int, int]]:
    """Yield stretches of the source: table, first block, and the first one behind them."""
    with connections[using].cursor() as cursor:
        cursor.execute(_LEAVES, {"table": one.way.source, "until": one.until})
        leaves = cursor.fetchall()
    for leaf, blocks in leaves:
        for first in range(0, blocks, BATCH_BLOCKS):
            yield leaf, first, first + BATCH_BLOCKS


def move(one: Move, stretch: tuple[str, int, int], cursor: Any, using: str) -> Batch:
    """
    Move the rows of a stretch, in the transaction of `cursor`, whose door is open.

    A row that somebody is working with stays for the next time.

    Raises:
        ArchiveError: what arrived is not what left.
        IntegrityError: a row is referred to by now, or refers to one that is not there.
    """
    leaf, first, behind = stretch
    where, parameters = one.where(using)
    within = "t.ctid >= %(first)s::tid AND t.ctid < %(behind)s::tid"
    listed = ", ".join(one.columns)
    cursor.execute(
        f"""
        WITH picked AS MATERIALIZED (
            SELECT t.ctid AS place FROM {leaf} t WHERE {within} AND {where} FOR UPDATE OF t SKIP LOCKED
        ), moved AS (
            DELETE FROM {leaf} t USING picked p WHERE t.ctid = p.place AND {within} RETURNING {_of("t", one.columns)}
        ), kept AS (
            INSERT INTO {one.way.target} ({listed}) SELECT {listed} FROM moved RETURNING {listed}
        )
        SELECT left_.rows, left_.digest, kept_.* FROM
            (SELECT count(*) AS rows, {digest_sql("m", one.columns)} AS digest FROM moved m) left_,
            (SELECT count(*), {digest_sql("k", one.columns)}, min(recorded_seq), max(recorded_seq) FROM kept k) kept_
        """,
        parameters | {"first": f"({first},0)", "behind": f"({behind},0)"},
    )
    left, left_digest, rows, digest, first_seq, last_seq = cursor.fetchone()
    if (left, left_digest) != (rows, digest):
        raise ArchiveError(f"{one.policy.table}: {left} rows left and {rows} arrived, or others; nothing was moved")
    return Batch(rows, first_seq or 0, last_seq or 0, int(digest))


def move_ids(policy: ArchivePolicy, way: Way, columns: Sequence[str], ids: Sequence[Any], cursor: Any) -> Batch:
    """
    Move rows by their ids, in the transaction of `cursor`, whose door is open.

    Raises:
        ArchiveError: what arrived is not what left.
        MovedMeanwhileError: some of them are not there any more.
    """
    seqs = "min(recorded_seq), max(recorded_seq)" if '"recorded_seq"' in columns else "0, 0"
    listed = ", ".join(columns)
    cursor.execute(
        f"""
        WITH moved AS (
            DELETE FROM {way.source} t WHERE t.id = ANY(%s) RETURNING {_of("t", columns)}
        ), kept AS (
            INSERT INTO {way.target} ({listed}) SELECT {listed} FROM moved RETURNING {listed}
        )
        SELECT left_.*, kept_.* FROM
            (SELECT count(*), {digest_sql("m", columns)} FROM moved m) left_,
            (SELECT count(*), {digest_sql("k", columns)}, {seqs} FROM kept k) kept_
        """,
        [list(ids)],
    )
    left, left_digest, rows, digest, first_seq, last_seq = cursor.fetchone()
    if left != len(ids):
        raise MovedMeanwhileError(f"{policy.table}: {len(ids) - left} of {len(ids)} rows went their own way meanwhile")
    if (left, left_digest) != (rows, digest):
        raise ArchiveError(f"{policy.table}: {left} rows left and {rows} arrived, or others; nothing was moved")
    return Batch(rows, first_seq or 0, last_seq or 0, int(digest))


def digest_sql(row: str, columns: Sequence[str]) -> str:
    """Return the SQL of the sum of the digests of rows: of each the first 64 bits of SHA-256 over its text."""
    text = f"convert_to(ROW({_of(row, columns)})::text, 'UTF8')"
    return f"coalesce(sum(('x' || encode(substr(sha256({text}), 1, 8), 'hex'))::bit(64)::bigint), 0)"


def is_referred(exc: IntegrityError) -> bool:
    """Return whether a move failed because somebody has just come to refer to one of its rows."""
    return getattr(exc.__cause__, "sqlstate", "") == FOREIGN_KEY_VIOLATION


def _of(row: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{row}.{column}" for column in columns)
