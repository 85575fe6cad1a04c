"""Rows that were archived: they lie in a table of the same name and shape, in a schema of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connections

__all__ = [
    "ARCHIVE_SCHEMA",
    "COLD",
    "COLD_TABLE",
    "archive_of",
    "archived_by_key",
    "archived_digests",
    "archives_of",
    "sources",
]

# Where archived rows of a table lie: a table of the same name, with the same columns.
ARCHIVE_SCHEMA: Final = "archive"
# Id and digest of rows that went on from there into files.
COLD: Final = "friren_cold"
COLD_TABLE: Final = f"{ARCHIVE_SCHEMA}.{COLD}"


# Not by to_regclass, which is an error for a role that may not look into the schema.
_THERE: Final = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = ANY(%s)
      AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
"""


def archive_of(table: str, using: str) -> str | None:
    """Return the archive of a table, quoted; None while nothing of it was archived."""
    return archives_of([table], using).get(table)


def archives_of(tables: Sequence[str], using: str) -> dict[str, str]:
    """Return the archives of those of `tables` of which something was archived, quoted."""
    name = connections[using].ops.quote_name
    with connections[using].cursor() as cursor:
        cursor.execute(_THERE, [ARCHIVE_SCHEMA, list(tables)])
        return {table: f"{name(ARCHIVE_SCHEMA)}.{name(table)}" for (table,) in cursor.fetchall()}


def sources(table: str, using: str) -> list[str]:
    """Return the tables, quoted, in which rows of `table` lie: itself, and its archive where there is one."""
    archived = archive_of(table, using)
    return [connections[using].ops.quote_name(table), *([archived] if archived else [])]


def archived_by_key(table: str, key: Mapping[str, Any], using: str) -> dict[str, Any] | None:
    """Return id, digest and external_id of the archived row with these columns; None when there is none."""
    archived = archive_of(table, using)
    if archived is None:
        return None
    # The names are the model's and ours.
    where = " AND ".join(f"{column} = %s" for column in key)
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT id, digest, external_id FROM {archived} WHERE {where}", list(key.values()))  # noqa: S608
        found = cursor.fetchone()
    return None if found is None else dict(zip(("id", "digest", "external_id"), found, strict=True))


def archived_digests(table: str, ids: Sequence[UUID], using: str) -> dict[UUID, bytes]:
    """
    Return the digests of those among `ids` that were archived, in whatever place they are by now.

    That may be the table again: what was missed there a moment ago can have been brought back. One statement sees all
    places at one moment, and a row is in one of them.
    """
    found = archives_of([table, COLD], using)
    if table not in found:
        return {}
    places = [connections[using].ops.quote_name(table), *found.values()]
    # The names are the model's and ours.
    sql = " UNION ALL ".join(f"SELECT id, digest FROM {place} WHERE id = ANY(%s)" for place in places)  # noqa: S608
    with connections[using].cursor() as cursor:
        cursor.execute(sql, [list(ids)] * len(places))
        return {key: bytes(digest) for key, digest in cursor.fetchall()}
