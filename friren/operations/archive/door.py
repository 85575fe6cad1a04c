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
# Triggers come in the order of their names: behind `pgtrigger_period_open_…`, since what is told of a closed period is
# refused as such, whatever its key.
KEY_TRIGGER: Final = "zz_friren_archived_key"
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
# What another system tells under a key that an archived row has is refused as the table refuses it, at whatever time
# it happened. No lock: all live traffic would wait for each batch. The one row that is told anew, under another id and
# time, in the very moment in which it is moved, is found by whoever tells it next.
_KNOWN_KEY: Final = """
    CREATE OR REPLACE FUNCTION {schema}.{function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        IF coalesce(current_setting('friren.archive', true), '') <> 'open' AND EXISTS (
            SELECT FROM {schema}.{table} t WHERE t.account_id = NEW.account_id AND t.venue = NEW.venue
            AND t.external_id = NEW.external_id AND t.external_id <> '' AND t.id <> NEW.id
        ) THEN
            RAISE EXCEPTION 'a row of the archive has this key' USING ERRCODE = 'unique_violation',
                CONSTRAINT = '{constraint}',
                DETAIL = format('Key (account_id, venue, external_id)=(%s, %s, %s) is archived.',
                                NEW.account_id, NEW.venue, NEW.external_id);
        END IF;
        RETURN NEW;
    END $$
"""
_TRIGGER_OF_KEY: Final = """
    CREATE OR REPLACE TRIGGER {trigger} BEFORE INSERT ON {table} FOR EACH ROW
    WHEN (NEW.external_id <> '') EXECUTE FUNCTION {schema}.{function}()
"""
# OR REPLACE needs no look at the rows and no lock that readers mind.
_TRIGGER: Final = """
    CREATE OR REPLACE TRIGGER {trigger} BEFORE INSERT ON {table} FOR EACH ROW
    WHEN (NEW.{time} < '{horizon}'::timestamptz) EXECUTE FUNCTION {schema}.{function}('{horizon}')
"""
_HORIZON: Final = "SELECT encode(tgargs, 'escape') FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND tgname = %s"
# Those against DELETE, and against facts of a closed period, which come back to it.
_GUARDS: Final = """
    SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(%s)
    AND (tgname LIKE 'pgtrigger_no_delete_%%' OR tgname LIKE 'pgtrigger_period_open_%%')
"""


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
                if policy.external:
                    of_key = told | {"function": name(f"known_key_{policy.table}"), "constraint": policy.external}
                    cursor.execute(_KNOWN_KEY.format(**of_key))
                    cursor.execute(_TRIGGER_OF_KEY.format(**of_key | {"trigger": KEY_TRIGGER}))
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
def opened(*policies: ArchivePolicy, using: str) -> Iterator[Any]:
    """
    Open a transaction in which rows may be moved out of tables and back, and yield a cursor of it.

    Args:
        policies: of the tables; who names several names them in the order of `Bundle.members`.
        using: alias of the database.
    """
    name = connections[using].ops.quote_name
    with transaction.atomic(using=using, durable=True), connections[using].cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        set_text_form(cursor)
        guards: list[str] = []
        for policy in policies:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_lock(policy)])
            cursor.execute(_GUARDS, [name(policy.table)])
            guards += [guard for (guard,) in cursor.fetchall()]
        cursor.execute("SELECT set_config('friren.archive', 'open', true)")
        cursor.execute("SELECT set_config('pgtrigger.ignore', %s, true)", [f"{{{','.join(guards)}}}"])
        yield cursor


def set_text_form(cursor: Any) -> None:
    """Let values be written down as digests are made of, until the transaction ends."""
    for setting, value in TEXT_FORM.items():
        if setting != "client_encoding":  # the digest is of UTF-8 in any case
            cursor.execute(f"SET LOCAL {setting} = '{value}'")


def _lock(policy: ArchivePolicy) -> str:
    return f"friren archive {policy.table}"
