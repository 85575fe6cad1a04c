"""
The tables of the queue, as procrastinate's own statements make them.

Read by migrations when they run, and only then. procrastinate's Django app would bring them too, and would have every
process import procrastinate: see docs/decisions/0039.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from typing import Any, Final

__all__ = ["APPLIED", "apply", "available", "remove"]

# In the order in which procrastinate brought them out; a migration applies those that are new since the one before.
APPLIED: Final[tuple[str, ...]] = (
    "00.00.00_01_initial.sql",
    "00.05.00_01_drop_started_at_column.sql",
    "00.05.00_02_drop_started_at_column.sql",
    "00.05.00_03_drop_procrastinate_version_table.sql",
    "00.06.00_01_fix_procrastinate_fetch_job.sql",
    "00.07.01_01_fix_trigger_status_events_insert.sql",
    "00.08.01_01_add_queueing_lock_column.sql",
    "00.10.00_01_close_fetch_job_race_condition.sql",
    "00.10.00_02_add_defer_job_function.sql",
    "00.11.00_03_add_procrastinate_periodic_defers.sql",
    "00.12.00_01_add_foreign_key_index.sql",
    "00.14.00_01_add_locks_to_periodic_defer.sql",
    "00.15.02_01_fix_procrastinate_defer_periodic_job.sql",
    "00.16.00_01_add_finish_job_and_retry_job_functions.sql",
    "00.17.00_01_add_trigger_on_job_deletion.sql",
    "00.17.00_02_delete_finished_jobs.sql",
    "00.17.00_03_add_checks_to_finish_job.sql",
    "00.17.00_04_add_checks_to_retry_job.sql",
    "00.18.01_01_fix_finish_job_compat_issue.sql",
    "00.19.00_01_add_index_on_procrastinate_jobs.sql",
    "00.22.00_01_add_kwargs_to_defer_periodic_job.sql",
    "00.23.00_01_null_locks_excluded.sql",
    "01.00.00_01_remove_old_finish_job_function.sql",
    "01.01.01_01_job_id_bigint.sql",
    "02.00.03_01_add_job_priority.sql",
    "02.05.00_01_add_periodic_job_priority.sql",
    "02.06.00_01_add_cancel_states.sql",
    "02.08.00_01_add_additional_params_to_retry_job.sql",
    "02.14.01_01_add_indexes_for_fetch_job.sql",
    "03.00.00_01_pre_cancel_notification.sql",
    "03.00.00_50_post_cancel_notification.sql",
    "03.01.00_01_pre_add_heartbeat.sql",
    "03.01.00_50_post_add_heartbeat.sql",
    "03.02.00_01_pre_batch_defer_jobs.sql",
    "03.02.00_50_post_batch_defer_jobs.sql",
    "03.03.00_01_pre_priority_lock_fetch_job.sql",
    "03.04.00_01_pre_add_retry_failed_job_procedure.sql",
    "03.04.00_50_post_add_retry_failed_job_procedure.sql",
)

_MADE: Final = re.compile(r"CREATE TYPE (\w+) AS ENUM \((.*?)\);", re.DOTALL)
_ADDED: Final = re.compile(r"ALTER TYPE (\w+) ADD VALUE '(\w+)'(?: (BEFORE|AFTER) '(\w+)')?;")
_VALUE: Final = re.compile(r"'(\w+)'")

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


def available() -> list[str]:
    """Return the names of the files of statements that the installed procrastinate has, in order."""
    folder = resources.files("procrastinate.sql.migrations")
    return sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))


def apply(_apps: Any, editor: Any) -> None:
    """Make the tables. One file after the other and not the newest whole: a later migration applies what came later."""
    folder = resources.files("procrastinate.sql.migrations")
    for statements in _with_whole_lists([(folder / name).read_text(encoding="utf-8") for name in APPLIED]):
        editor.execute(statements, params=None)


def _with_whole_lists(files: Sequence[str]) -> Iterator[str]:
    """
    Yield the files such that a list of values is made with those that later files add to it.

    They are applied in one transaction, and before PostgreSQL 17 none can use a value that it has added itself.
    """
    lists = {name: _VALUE.findall(values) for text in files for name, values in _MADE.findall(text)}
    for name, value, side, beside in (found for text in files for found in _ADDED.findall(text)):
        values = lists[name]
        place = values.index(beside) + (side == "AFTER") if beside else len(values)
        values.insert(place, value)
    for text in files:
        made = _MADE.sub(lambda match: f"CREATE TYPE {match[1]} AS ENUM ({_listed(lists[match[1]])});", text)
        yield _ADDED.sub("", made)


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def remove(_apps: Any, editor: Any) -> None:
    """Drop tables, functions and types of the queue."""
    editor.execute(_REMOVE, params=None)
