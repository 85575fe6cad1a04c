"""
The one way by which rows leave a table, and what keeps them from being stored a second time behind it.

Facts may not be deleted, and rows of the archive neither be added, changed nor deleted: triggers say so, and look away
for a transaction that `opened` this door. Each run that goes through it leaves an entry in the audit log.

A fact that was archived must be known when its writer tells it again: a trigger of the live table passes over rows
whose id is in the archive. It has a condition on the row's time, which is all that a row newer than any archived one
is held to; a table of which nothing was archived has no such trigger. See docs/decisions/0038.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from typing import Any, Final

from django.db import OperationalError, connections, transaction

from friren.errors import ArchiveError
from friren.operations.archive.policies import ArchivePolicy
from friren.operations.archive.settings import LOCK_ATTEMPTS, LOCK_PAUSE_SECONDS, LOCK_SECONDS
from friren.operations.audit.rows import TEXT_FORM
from friren.persistence.archived import ARCHIVE_SCHEMA, COLD_TABLE

__all__ = ["close_archive", "held", "horizon_of", "opened", "raise_horizon", "set_text_form"]

TRIGGER: Final = "friren_archived"
LOCK_NOT_AVAILABLE: Final = "55P03"

_CLOSED: Final = """
    CREATE OR REPLACE FUNCTION {schema}.friren_closed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF coalesce(current_setting('friren.archive', true), '') <> 'open' THEN
            RAISE EXCEPTION 'rows of the archive are moved by `manage.py archive` and `unarchive` alone';
        END IF;
        IF TG_OP = 'DELETE' THEN
            RETURN OLD;
        END IF;
        RETURN NEW;
    END $$
"""
# With the owner's rights: who writes facts may not read the archive. The share of the lock is held until the writer's
# transaction ends, and whoever moves rows takes the whole of it: of a row that is being moved meanwhile the one or
# the other place is looked into too late, but never both.
_KNOWN: Final = """
    CREATE OR REPLACE FUNCTION {schema}.{function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        IF coalesce(current_setting('friren.archive', true), '') = 'open' THEN
            RETURN NEW;
        END IF;
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('{lock}', 0));
        IF EXISTS (SELECT FROM {schema}.{table} WHERE id = NEW.id)
           OR EXISTS (SELECT FROM {schema}.friren_cold WHERE id = NEW.id) THEN
            RETURN NULL;
        END IF;
        RETURN NEW;
    END $$
"""
# OR REPLACE needs no look at the rows and no lock that readers mind.
_TRIGGER: Final = """
    CREATE OR REPLACE TRIGGER {trigger} BEFORE INSERT ON {table} FOR EACH ROW
    WHEN (NEW.{time} < '{horizon}'::timestamptz) EXECUTE FUNCTION {schema}.{function}('{horizon}')
"""
_HORIZON: Final = "SELECT encode(tgargs, 'escape') FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND tgname = %s"
_GUARDS: Final = (
    "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND tgname LIKE 'pgtrigger_no_delete_%%'"
)


def close_archive(policy: ArchivePolicy, using: str) -> None:
    """Let the archive of a table refuse whoever did not come through the door, in the caller's transaction."""
    name = connections[using].ops.quote_name
    schema = name(ARCHIVE_SCHEMA)
    with connections[using].cursor() as cursor:
        cursor.execute(_CLOSED.format(schema=schema))
        for table in (f"{schema}.{name(policy.table)}", COLD_TABLE):
            for trigger, event in (
                ("friren_closed", f"INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW"),
                ("friren_closed_whole", f"TRUNCATE ON {table} FOR EACH STATEMENT"),
            ):
                cursor.execute(
                    f"CREATE OR REPLACE TRIGGER {trigger} BEFORE {event} EXECUTE FUNCTION {schema}.friren_closed()"
                )


def horizon_of(policy: ArchivePolicy, using: str) -> dt.datetime | None:
    """Return up to which time rows of a table are looked up in its archive; None when none are."""
    with connections[using].cursor() as cursor:
        cursor.execute(_HORIZON, [connections[using].ops.quote_name(policy.table), TRIGGER])
        found = cursor.fetchone()
    return dt.datetime.fromisoformat(str(found[0]).partition("\\")[0]) if found else None


def raise_horizon(policy: ArchivePolicy, until: dt.datetime, using: str) -> None:
    """
    Let rows older than `until` be looked up in the archive before they are stored.

    Raises:
        ArchiveError: writers kept the table locked.
    """
    now = horizon_of(policy, using)
    if now is not None and now >= until:
        return
    name = connections[using].ops.quote_name
    told = {
        "schema": name(ARCHIVE_SCHEMA), "table": name(policy.table), "trigger": TRIGGER, "lock": _lock(policy),
        "function": name(f"known_{policy.table}"), "time": name(policy.time_column), "horizon": until.isoformat(),
    }  # fmt: skip
    for _attempt in range(LOCK_ATTEMPTS):
        try:
            with transaction.atomic(using=using, durable=True), connections[using].cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {LOCK_SECONDS * 1000:.0f}")
                cursor.execute(_KNOWN.format(**told))
                cursor.execute(_TRIGGER.format(**told))
                return
        except OperationalError as exc:
            if getattr(exc.__cause__, "sqlstate", "") != LOCK_NOT_AVAILABLE:
                raise
        time.sleep(LOCK_PAUSE_SECONDS)
    raise ArchiveError(f"{policy.table} is locked by others all the time: do it again later, nothing was moved")


@contextlib.contextmanager
def held(policy: ArchivePolicy, using: str) -> Iterator[None]:
    """
    Hold a table against other runs of the archive, whatever they do with it.

    Raises:
        ArchiveError: another one is at it.
    """
    key = f"{_lock(policy)} run"
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key])
        if not cursor.fetchone()[0]:
            raise ArchiveError(f"{policy.table} is being archived or brought back by another process")
        try:
            yield
        finally:
            # A connection that broke has let it go by itself.
            with contextlib.suppress(OperationalError):
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])


@contextlib.contextmanager
def opened(policy: ArchivePolicy, using: str) -> Iterator[Any]:
    """Open a transaction in which rows may be moved out of a table and back, and yield a cursor of it."""
    with transaction.atomic(using=using, durable=True), connections[using].cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        set_text_form(cursor)
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_lock(policy)])
        cursor.execute("SELECT set_config('friren.archive', 'open', true)")
        cursor.execute(_GUARDS, [connections[using].ops.quote_name(policy.table)])
        guards = ",".join(guard for (guard,) in cursor.fetchall())
        cursor.execute("SELECT set_config('pgtrigger.ignore', %s, true)", [f"{{{guards}}}"])
        yield cursor


def set_text_form(cursor: Any) -> None:
    """Let values be written down as digests are made of, until the transaction ends."""
    for setting, value in TEXT_FORM.items():
        if setting != "client_encoding":  # the digest is of UTF-8 in any case
            cursor.execute(f"SET LOCAL {setting} = '{value}'")


def _lock(policy: ArchivePolicy) -> str:
    return f"friren archive {policy.table}"
