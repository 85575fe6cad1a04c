"""
The tables of the archive: of the shape of the tables that they stand for, and kept so.

Made from PostgreSQL's own catalogue, not from the models: what is moved is what is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from django.db import connections
from psycopg import sql

from friren.errors import ArchiveError
from friren.operations.archive.policies import EXTERNAL_COLUMNS, ArchivePolicy
from friren.persistence.archived import ARCHIVE_SCHEMA, COLD_TABLE, archive_of

__all__ = ["Column", "check_columns", "check_shape", "columns_of", "make_shape"]

_COLUMNS: Final = """
    SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_CHECKS: Final = """
    SELECT conname, replace(pg_get_constraintdef(oid), ' NOT VALID', '') FROM pg_constraint
    WHERE conrelid = to_regclass(%s) AND contype = 'c'
"""
# Who may read the table may read what was archived of it; nobody may write there but its owner.
_READERS: Final = """
    SELECT acl.grantee::regrole::text FROM pg_class c, aclexplode(c.relacl) acl
    WHERE c.oid = to_regclass(%s) AND acl.privilege_type = 'SELECT' AND acl.grantee NOT IN (0, c.relowner)
"""


# Ids and digests of rows that went on into files: told again, such a fact is still known, and its seal accounted for.
_COLD: Final = f"""
    CREATE TABLE IF NOT EXISTS {COLD_TABLE} (
        id uuid PRIMARY KEY, digest bytea NOT NULL, recorded_seq bigint NOT NULL, run bigint NOT NULL
    )
"""


class Column(NamedTuple):
    """A column as PostgreSQL writes it down."""

    type: str
    required: bool


def columns_of(table: str, using: str) -> dict[str, Column]:
    """Return the columns of a table, given quoted, by name and in its order."""
    with connections[using].cursor() as cursor:
        cursor.execute(_COLUMNS, [table])
        return {name: Column(kind, required) for name, kind, required in cursor.fetchall()}


def check_shape(policy: ArchivePolicy, using: str) -> str:
    """Return why the archive of a table cannot follow it, "" when it can, or need not."""
    archived = archive_of(policy.table, using)
    if archived is None:
        return ""
    try:
        _additions(policy, columns_of(_live(policy, using), using), columns_of(archived, using))
    except ArchiveError as exc:
        return str(exc)
    return ""


def check_columns(policy: ArchivePolicy, columns: Sequence[str], using: str) -> None:
    """
    See that a table still has these columns, quoted, and no other; in the transaction that has moved rows of it.

    Raises:
        ArchiveError: a migration came between; it waits for this transaction by now, and for no other.
    """
    name = connections[using].ops.quote_name
    if [name(column) for column in columns_of(_live(policy, using), using)] != list(columns):
        raise ArchiveError(f"{policy.table} was migrated meanwhile: do it again; what was moved before stays moved")


def make_shape(policy: ArchivePolicy, using: str) -> list[str]:
    """
    Make the archive of a table, or let it follow what migrations did to the table, in the caller's transaction.

    Returns:
        The columns that both have, quoted, in the order of the table.

    Raises:
        ArchiveError: the two have come apart in a way that a person has to judge.
    """
    name = connections[using].ops.quote_name
    live, archived = _live(policy, using), f"{name(ARCHIVE_SCHEMA)}.{name(policy.table)}"
    with connections[using].cursor() as cursor:
        if archive_of(policy.table, using) is None:
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {name(ARCHIVE_SCHEMA)}")
            # Its foreign keys are left out: what they refer to may go its own way.
            cursor.execute(f"CREATE TABLE {archived} (LIKE {live} INCLUDING CONSTRAINTS INCLUDING STORAGE)")
            cursor.execute(f"ALTER TABLE {archived} ADD PRIMARY KEY (id)")
            has = columns_of(live, using)
            for column in filter(None, (policy.time_column, *policy.indexed)):
                cursor.execute(f"CREATE INDEX ON {archived} ({name(column)})")
            if "recorded_seq" in has:  # a fact
                cursor.execute(f"CREATE INDEX ON {archived} USING brin (recorded_seq)")
            if policy.external:
                listed = ", ".join(name(column) for column in EXTERNAL_COLUMNS)
                cursor.execute(f"CREATE INDEX ON {archived} ({listed}) WHERE external_id <> ''")
        else:
            _follow(policy, live, archived, cursor, using)
        cursor.execute(_COLD)
        cursor.execute(_READERS, [live])
        for (role,) in cursor.fetchall():
            cursor.execute(f"GRANT USAGE ON SCHEMA {name(ARCHIVE_SCHEMA)} TO {role}")
            cursor.execute(f"GRANT SELECT ON {archived}, {COLD_TABLE} TO {role}")
    return [name(column) for column in columns_of(live, using)]


def _live(policy: ArchivePolicy, using: str) -> str:
    return connections[using].ops.quote_name(policy.table)


def _follow(policy: ArchivePolicy, live: str, archived: str, cursor: Any, using: str) -> None:
    wanted, found = columns_of(live, using), columns_of(archived, using)
    name = connections[using].ops.quote_name
    for column, default in _additions(policy, wanted, found).items():
        kind, required = wanted[column]
        filled = f"NOT NULL DEFAULT {default}" if required else ""
        cursor.execute(f"ALTER TABLE {archived} ADD COLUMN {name(column)} {kind} {filled}")
        if required:
            cursor.execute(f"ALTER TABLE {archived} ALTER COLUMN {name(column)} DROP DEFAULT")
    for column, (_kind, required) in found.items():
        now_required = wanted[column].required if column in wanted else False
        if required and not now_required:
            cursor.execute(f"ALTER TABLE {archived} ALTER COLUMN {name(column)} DROP NOT NULL")
    rules, held = _checks(cursor, live), _checks(cursor, archived)
    for rule in held:
        if rules.get(rule) != held[rule]:
            cursor.execute(f"ALTER TABLE {archived} DROP CONSTRAINT {name(rule)}")
    for rule, definition in rules.items():
        if held.get(rule) != definition:
            # For what comes from now on: rows that were archived obeyed the rules of their time.
            cursor.execute(f"ALTER TABLE {archived} ADD CONSTRAINT {name(rule)} {definition} NOT VALID")


def _additions(policy: ArchivePolicy, wanted: Mapping[str, Column], found: Mapping[str, Column]) -> dict[str, str]:
    """Return the columns that the archive lacks, each with the literal that archived rows get."""
    archived = f"{ARCHIVE_SCHEMA}.{policy.table}"
    changed = [column for column in wanted.keys() & found.keys() if wanted[column].type != found[column].type]
    if changed:
        column = min(changed)
        raise ArchiveError(
            f"{archived}.{column} is {found[column].type}, and that of the table is {wanted[column].type} by now: "
            f"ALTER TABLE {archived} ALTER COLUMN {column} TYPE {wanted[column].type}, then do it again"
        )
    new = [column for column in wanted if column not in found]
    gone = sorted(found.keys() - wanted.keys())
    if new and gone:
        raise ArchiveError(
            f"{archived} has {gone[0]} where the table has {new[0]}: rename it there too, or DROP COLUMN {gone[0]}"
        )
    return {column: _default_of(policy, column, required=wanted[column].required) for column in new}


def _default_of(policy: ArchivePolicy, column: str, *, required: bool) -> str:
    if not required:
        return "NULL"
    for field in policy.model._meta.concrete_fields:
        if field.column == column and (field.has_default() or field.empty_strings_allowed):
            return sql.Literal(field.get_db_prep_save(field.get_default(), connections["default"])).as_string(None)
    archived = f"{ARCHIVE_SCHEMA}.{policy.table}"
    raise ArchiveError(f"{archived} lacks {column}, which may not be null and has no default: add it there by hand")


def _checks(cursor: Any, table: str) -> dict[str, str]:
    cursor.execute(_CHECKS, [table])
    return dict(cursor.fetchall())
