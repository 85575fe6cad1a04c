"""
What a bot may do: add facts and keep books, and nothing that would change what was stored.

A role that trades owns no table. It may fill the columns of a fact, but not number it; update the columns that move,
and no other; delete and truncate nothing that is a fact. Triggers hold these rules too, but a session can tell
pgtrigger to look away, and an owner can drop them; a right that was never given cannot be taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import psycopg
from django.apps import apps
from django.db import connection, models, transaction
from pgtrigger import Protect, ReadOnly
from psycopg import sql

from friren.core.choices import AuditAction
from friren.core.models import FactModel, SeriesModel, User
from friren.errors import ConfigurationError
from friren.operations.connectivity import one_line
from friren.persistence.audit import record_operation

__all__ = ["grant_writer", "writer_grants"]

# Filled by the database alone.
NUMBERED: Final = frozenset({"recorded_seq", "created_at"})
# What bots read of tables that are not theirs to fill: Django's own and operations', and who owns an account.
READ_ONLY_APPS: Final = frozenset({"operations", "jobs", "migrations"})
FUNCTIONS: Final = ("friren_next_seq()", "friren_closed_until(uuid)", "friren_lock_period(uuid)",
                    "friren_create_month(text, date)")  # fmt: skip


def grant_writer(role: str) -> int:
    """
    Give `role` what a bot needs, and take everything else from it; return how many tables it may write to.

    In one transaction, by whoever owns the tables. Run it again after a migration.

    Raises:
        ConfigurationError: there is no such role, or the tables are another's, or the role would have more rights
            than are given here: as a superuser, or as the owner of the tables.
    """
    _refuse_powerful(role)
    statements = list(writer_grants(role))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            record_operation(
                AuditAction.CONFIG_CHANGE, source="setup_database", model_label="role", object_pk=role,
                after={"rights": "writer"}, using="default",
            )  # fmt: skip
    except Exception as exc:
        cause = exc.__cause__
        if isinstance(cause, psycopg.errors.InsufficientPrivilege):
            raise ConfigurationError(f"only the owner of the tables can give rights: {one_line(exc)}") from exc
        raise
    return sum("INSERT" in statement.as_string(None) for statement in statements)


def writer_grants(role: str) -> Iterator[sql.Composed]:
    """Yield the statements, in order. A partition has no rights of its own: it is reached through its parent."""
    to = sql.Identifier(role)
    for objects in ("TABLES", "SEQUENCES"):
        yield sql.SQL("REVOKE ALL ON ALL {} IN SCHEMA public FROM {}").format(sql.SQL(objects), to)
    yield sql.SQL("REVOKE CREATE ON SCHEMA public FROM {}").format(to)
    yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(to)
    yield sql.SQL("GRANT USAGE ON SEQUENCE friren_recorded_seq TO {}").format(to)
    yield sql.SQL("GRANT SELECT ON SEQUENCE friren_recorded_seq TO {}").format(to)
    for function in FUNCTIONS:
        yield sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(function), to)
    yield sql.SQL("GRANT SELECT ON django_migrations TO {}").format(to)
    for model in _tables():
        table = sql.Identifier(model._meta.db_table)
        for right, columns in _rights(model):
            listed = (
                sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Identifier, columns))) if columns else sql.SQL("")
            )
            yield sql.SQL("GRANT {}{} ON {} TO {}").format(sql.SQL(right), listed, table, to)


def _tables() -> list[type[models.Model]]:
    own = {"core", "persistence", "operations", "jobs", *_upper_apps()}
    found = (model for model in apps.get_models(include_auto_created=True) if model._meta.app_label in own)
    return sorted(found, key=lambda model: model._meta.db_table)


def _upper_apps() -> set[str]:
    """Return the apps whose tables hold facts: those that are Friren's own, whatever they are called."""
    return {model._meta.app_label for model in apps.get_models() if issubclass(model, FactModel | SeriesModel)}


def _rights(model: type[models.Model]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each right with its columns; none stands for the whole table."""
    yield "SELECT", ()
    fields = [field for field in model._meta.concrete_fields if field.column is not None]
    triggers: list[Any] = list(getattr(model._meta, "triggers", ()))
    if issubclass(model, FactModel | SeriesModel):
        own = tuple(str(field.column) for field in fields if field.name not in NUMBERED)
        yield "INSERT", own
        moving = tuple(str(field.column) for field in fields if field.name in model.lifecycle)
        if issubclass(model, SeriesModel):
            # A bar can be revised, whose old values are kept.
            moving = tuple(name for name in own if name != "id")
        if moving:
            yield "UPDATE", moving
    elif model._meta.app_label in READ_ONLY_APPS or model is User or model._meta.auto_created:
        return
    elif any(isinstance(trigger, Protect) and not isinstance(trigger, ReadOnly) for trigger in triggers):
        yield "INSERT", ()
    else:
        yield "INSERT", ()
        frozen = {name for trigger in triggers if isinstance(trigger, ReadOnly) for name in trigger.fields or ()}
        columns = tuple(str(field.column) for field in fields if field.name not in frozen)
        yield "UPDATE", columns if frozen else ()
        if not frozen:
            yield "DELETE", ()


def _refuse_powerful(role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, (SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace "
            "AND c.relkind IN ('r', 'p') AND pg_has_role(r.oid, c.relowner, 'MEMBER')) "
            "FROM pg_roles r WHERE rolname = %s",
            [role],
        )
        found = cursor.fetchone()
    if found is None:
        raise ConfigurationError(f"there is no role {role}: CREATE ROLE {role} LOGIN PASSWORD '…' makes it")
    if found[0]:
        raise ConfigurationError(f"{role} is a superuser, from whom nothing can be withheld: take another role")
    if found[1]:
        raise ConfigurationError(f"{role} owns {found[1]} of the tables: let another role own them")
