"""
Make a database ready, whatever is there already: server, role, database, migrations, seeds.

The embedded server is started. On any other, the role and the database are made with the configured role's own
rights, or with those of DB_ADMIN_URL, which is read here and nowhere else.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from psycopg import sql

from friren import embedded
from friren.core.choices import AuditAction
from friren.embedded.archiving import start_own
from friren.environment import Environment
from friren.errors import ConfigurationError
from friren.operations import schema
from friren.operations.connectivity import connect_directly, one_line
from friren.persistence.audit import record_operation

__all__ = ["MAINTENANCE_DATABASE", "Step", "plan", "provision"]

MAINTENANCE_DATABASE: Final = "postgres"


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step and how it ended.

    Attributes:
        outcome: "done", "unchanged", "planned" or, when verifying, "PASS" or "FAIL".
    """

    step: str
    outcome: str
    detail: str = ""


def plan() -> list[Step]:
    """Return what `provision` would do on an empty server, as SQL where it is SQL. Connects to nothing."""
    parameters = connection.get_connection_params()
    steps = []
    if settings.FRIREN_EMBEDDED:
        steps.append(Step("server", "planned", f"start PostgreSQL in {_location().root}"))
    else:
        role, name = str(parameters.get("user", "")), str(parameters["dbname"])
        steps.append(Step("role", "planned", _text(_create_role(role, "'***'"))))
        steps.append(Step("database", "planned", _text(_create_database(name, owner=role))))
    return [
        *steps,
        Step("migrations", "planned", "manage.py migrate"),
        Step("seeds", "planned", "the user `system` and the system's own notes"),
    ]


def provision() -> Iterator[Step]:
    """
    Do what is missing, step by step; a second run finds everything unchanged.

    Raises:
        ConfigurationError: the server cannot be reached, or what is missing may not be made; one line says why.
    """
    taken = []
    for step in _steps():
        taken.append(step)
        yield step
    if done := {step.step: step.detail for step in taken if step.outcome == "done"}:
        with transaction.atomic():
            record_operation(
                AuditAction.CONFIG_CHANGE, source="setup_database", model_label="database",
                object_pk=str(connection.settings_dict["NAME"]), after=done, using="default",
            )  # fmt: skip


def _steps() -> Iterator[Step]:
    if settings.FRIREN_EMBEDDED:
        running = embedded.adopt(_location())
        server = start_own(_location())
        yield Step("server", "unchanged" if running else "done", server.host)
    else:
        yield from _role_and_database()
    missing = schema.unapplied()
    if missing:
        schema.migrate()
    yield Step("migrations", "done" if missing else "unchanged", f"{len(missing)} applied")
    yield _seed()


def _role_and_database() -> Iterator[Step]:
    parameters = connection.get_connection_params()
    role, name = str(parameters.get("user", "")), str(parameters["dbname"])
    try:
        connect_directly().close()
    except psycopg.OperationalError as exc:
        problem = one_line(exc)
    else:
        yield Step("role", "unchanged", role)
        yield Step("database", "unchanged", name)
        return
    with _maintenance(problem) as session:
        yield Step("role", _ensure_role(session, role, str(parameters.get("password", ""))), role)
        yield Step("database", _ensure_database(session, name, owner=role), name)
    try:
        connect_directly().close()
    except psycopg.OperationalError as exc:
        raise ConfigurationError(f"role and database exist, but: {one_line(exc)}") from exc


def _maintenance(problem: str) -> psycopg.Connection[Any]:
    """Return a connection that may make what is missing: the administrator's, else the role's own."""
    admin_url = Environment(os.environ).text("DB_ADMIN_URL")
    try:
        if admin_url:
            return psycopg.connect(admin_url, autocommit=True, connect_timeout=10)
        return connect_directly(dbname=MAINTENANCE_DATABASE)
    except psycopg.OperationalError as exc:
        if admin_url:
            raise ConfigurationError(f"DB_ADMIN_URL: {one_line(exc)}") from exc
        raise ConfigurationError(f"{problem} (DB_ADMIN_URL, a superuser's, lets me make role and database)") from exc
    except psycopg.ProgrammingError:
        raise ConfigurationError(
            "DB_ADMIN_URL cannot be read: write postgresql://user:password@host/postgres"
        ) from None


def _ensure_role(session: psycopg.Connection[Any], role: str, password: str) -> str:
    if session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
        return "unchanged"
    # Hashed here: a statement may end up in the server's log.
    hashed = session.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    return _make(session, _create_role(role, sql.Literal(hashed)))


def _ensure_database(session: psycopg.Connection[Any], name: str, *, owner: str) -> str:
    if session.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        return "unchanged"
    return _make(session, _create_database(name, owner=owner))


def _make(session: psycopg.Connection[Any], statement: sql.Composed) -> str:
    try:
        session.execute(statement)
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return "unchanged"  # another process was first
    except psycopg.Error as exc:
        raise ConfigurationError(f"{one_line(exc)}: set DB_ADMIN_URL to a role that may") from exc
    return "done"


def _create_role(role: str, password: sql.Literal | str) -> sql.Composed:
    shown = password if isinstance(password, sql.Literal) else sql.SQL("'***'")
    return sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), shown)


def _create_database(name: str, *, owner: str) -> sql.Composed:
    # template0: the only one that takes another encoding than the server's default.
    return sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(
        sql.Identifier(name), sql.Identifier(owner)
    )


def _text(statement: sql.Composed) -> str:
    return statement.as_string(None) + ";"


def _seed() -> Step:
    seed = importlib.import_module("friren.core.migrations.0002_seed").seed
    before = _seed_count()
    with connection.schema_editor() as editor:
        seed(apps, editor)
    added = _seed_count() - before
    return Step("seeds", "done" if added else "unchanged", f"{added} rows added")


def _seed_count() -> int:
    return sum(apps.get_model("core", name)._default_manager.count() for name in ("User", "SystemMetadata"))


def _location() -> embedded.Location:
    return embedded.locate(settings.FRIREN_HOME, binaries=settings.FRIREN_EMBEDDED_BIN)
