"""
The tables of the queue, as procrastinate's own statements make them.

Read by migrations when they run, and only then. procrastinate's Django app would bring them too, and would have every
process import procrastinate: see docs/decisions/0039.
"""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

__all__ = ["NEWEST", "apply", "remove", "unknown"]

# The newest of procrastinate's files of statements that migrations of ours have brought. When it brings out others,
# another migration calls `apply` again.
NEWEST: Final = "03.04.00_50_post_add_retry_failed_job_procedure.sql"

# Kept beside the tables, so that it goes with them into a backup and back.
_MARK: Final = "COMMENT ON TABLE procrastinate_jobs IS '{}'"
_MARKED: Final = (
    "SELECT obj_description(to_regclass('procrastinate_jobs')), to_regclass('procrastinate_jobs') IS NOT NULL"
)
_REMOVE: Final = """
    DROP TABLE IF EXISTS procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs,
        procrastinate_workers CASCADE;
    DO $$
    DECLARE
        found record;
    BEGIN
        FOR found IN SELECT oid::regprocedure AS name FROM pg_proc
            WHERE proname LIKE 'procrastinate\\_%' AND pronamespace = current_schema()::regnamespace
        LOOP EXECUTE 'DROP FUNCTION ' || found.name || ' CASCADE'; END LOOP;
        FOR found IN SELECT oid::regtype AS name FROM pg_type
            WHERE typname LIKE 'procrastinate\\_%' AND typtype IN ('e', 'c')
            AND typnamespace = current_schema()::regnamespace
        LOOP EXECUTE 'DROP TYPE ' || found.name || ' CASCADE'; END LOOP;
    END $$;
"""


def unknown() -> list[str]:
    """Return the files of statements of the installed procrastinate that no migration of ours has brought, in order."""
    return [name for name in _files() if name > NEWEST]


def apply(_apps: Any, editor: Any) -> None:
    """
    Make the tables as the installed procrastinate wants them, or bring them up to it.

    A new database is given the whole schema at once: PostgreSQL 15 refuses a value of an enumeration that was added
    in the same transaction, as the files one after the other would.
    """
    with editor.connection.cursor() as cursor:
        cursor.execute(_MARKED)
        mark, there = cursor.fetchone()
    folder = resources.files("procrastinate.sql")
    names = _files()
    if not there:
        editor.execute((folder / "schema.sql").read_text(encoding="utf-8"), params=None)
    for name in names if there else ():
        if name > (mark or NEWEST):
            editor.execute((folder / "migrations" / name).read_text(encoding="utf-8"), params=None)
    editor.execute(_MARK.format(names[-1]), params=None)


def _files() -> list[str]:
    folder = resources.files("procrastinate.sql") / "migrations"
    return sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))


def remove(_apps: Any, editor: Any) -> None:
    """Drop tables, functions and types of the queue."""
    editor.execute(_REMOVE, params=None)
