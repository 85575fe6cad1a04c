"""Eight questions to a database that should be ready; the answers change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from django.apps import apps
from django.db import DatabaseError, connection
from django.utils import timezone

from friren.operations import schema
from friren.operations.connectivity import explain
from friren.operations.health.ground import SERVER_MAJOR_MIN
from friren.operations.provisioning import Step

__all__ = ["verify"]

CLOCK_SECONDS_MAX: Final = 5.0

Answer = tuple[bool, str]


def verify() -> Iterator[Step]:
    """Yield one step per question, PASS or FAIL. Without a connection only the first is asked."""
    for name, question in _QUESTIONS:
        try:
            passed, detail = question()
        except DatabaseError as exc:
            passed, detail = False, explain(exc)
        yield Step(name, "PASS" if passed else "FAIL", detail)
        if name == "connection" and not passed:
            return


def _connection() -> Answer:
    _one("SELECT 1")
    return True, str(connection.settings_dict["NAME"])


def _version() -> Answer:
    version = _one("SELECT current_setting('server_version')")
    return int(_one("SELECT current_setting('server_version_num')")) // 10_000 >= SERVER_MAJOR_MIN, version


def _encoding() -> Answer:
    encoding = _one("SELECT current_setting('server_encoding')")
    return encoding == "UTF8", encoding


def _clock() -> Answer:
    # Facts are stamped here, when they are stored is stamped there.
    difference = abs((_one("SELECT clock_timestamp()") - timezone.now()).total_seconds())
    return difference < CLOCK_SECONDS_MAX, f"{difference:.1f} s from ours"


def _rights() -> Answer:
    refused = _one(
        """
        SELECT count(*) FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
          AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT'))
        """
    )
    user = _one("SELECT current_user")
    return refused == 0, f"{user} may not read and write {refused} tables" if refused else user


def _migrations() -> Answer:
    missing = schema.unapplied()
    return not missing, f"{len(missing)} not applied" if missing else "all applied"


def _tables() -> Answer:
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'")
        found = set(cursor.fetchall())
    wanted = {
        (model._meta.db_table, field.column)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
        for field in model._meta.local_concrete_fields
    }
    missing = sorted(f"{table}.{column}" for table, column in wanted - found)
    return not missing, f"missing: {', '.join(missing)[:200]}" if missing else f"{len(wanted)} columns"


def _seeds() -> Answer:
    user = apps.get_model("core", "User")._default_manager.filter(username="system").exists()
    notes = apps.get_model("core", "SystemMetadata")._default_manager.count()
    return user and notes > 0, f"{notes} notes"


def _one(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


_QUESTIONS: Final[tuple[tuple[str, Callable[[], Answer]], ...]] = (
    ("connection", _connection),
    ("version", _version),
    ("encoding", _encoding),
    ("clock", _clock),
    ("rights", _rights),
    ("migrations", _migrations),
    ("tables", _tables),
    ("seeds", _seeds),
)
