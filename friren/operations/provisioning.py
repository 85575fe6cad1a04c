"""
Make a database ready, whatever is there already: server, role, database, migrations, seeds, rights.

The embedded server is started. On any other, the role and the database are made with the configured role's own
rights, or with those of DB_ADMIN_URL, which is read here and nowhere else. One role is enough for one person; a prefix
asks for those of roles.py, each with its own rights.
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
from friren.operations import passwords, role_setup, schema
from friren.operations.connectivity import connect_directly, one_line
from friren.operations.hardening import guard_triggers
from friren.operations.roles import MIGRATOR, OWNER, named
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


def plan(prefix: str | None = None) -> list[Step]:
    """Return what `provision` would do on an empty server, as SQL where it is SQL. Connects to nothing."""
    parameters = connection.get_connection_params()
    steps = []
    if settings.FRIREN_EMBEDDED:
        steps.append(Step("server", "planned", f"start PostgreSQL in {_location().root}"))
    else:
        role, name = str(parameters.get("user", "")), str(parameters["dbname"])
        owner = role if prefix is None else named(prefix, OWNER)
        if prefix is None:
            steps.append(Step("role", "planned", _text(_create_role(role, "'***'"))))
        steps.append(Step("database", "planned", _text(_create_database(name, owner=owner))))
    if prefix is not None:
        steps.append(Step("roles", "planned", ", ".join(role_setup.names(prefix))))
    return [
        *steps,
        Step("migrations", "planned", "manage.py migrate"),
        Step("seeds", "planned", "the user `system` and the system's own notes"),
        *([] if prefix is None else [Step("rights", "planned", f"`--roles {prefix} --sql` prints them")]),
    ]


def provision(prefix: str | None = None, *, ask: bool = False) -> Iterator[Step]:
    """
    Do what is missing, step by step; a second run finds everything unchanged.

    Args:
        prefix: make the roles of roles.py too, under names that begin so.
        ask: whether a person is asked for their passwords.

    Raises:
        ConfigurationError: the server cannot be reached, or what is missing may not be made; one line says why.
    """
    taken = []
    for step in _steps(prefix, ask=ask):
        taken.append(step)
        yield step
    if done := {step.step: step.detail for step in taken if step.outcome == "done"}:
        with transaction.atomic():
            record_operation(
                AuditAction.CONFIG_CHANGE, source="setup_database", model_label="database",
                object_pk=str(connection.settings_dict["NAME"]), after=done, using="default",
            )  # fmt: skip


def _steps(prefix: str | None, *, ask: bool) -> Iterator[Step]:
    secrets = {} if prefix is None else _passwords(prefix, ask=ask)
    if settings.FRIREN_EMBEDDED:
        running = embedded.adopt(_location())
        server = start_own(_location())
        yield Step("server", "unchanged" if running else "done", server.host)
    if prefix is not None:
        yield from _roles_and_database(prefix, secrets)
    elif not settings.FRIREN_EMBEDDED:
        yield from _role_and_database()
    missing = schema.unapplied()
    if missing:
        _refuse_who_may_not_migrate(prefix)
        schema.migrate()
    yield Step("migrations", "done" if missing else "unchanged", f"{len(missing)} applied")
    yield _seed()
    if prefix is not None:
        with _maintenance("", dbname=str(connection.settings_dict["NAME"])) as session:
            changed = role_setup.give_rights(session, prefix)
        yield Step("rights", "done" if changed else "unchanged", "each role has its own, everybody else none")
    guard_triggers()


def _passwords(prefix: str, *, ask: bool) -> dict[str, str]:
    """Return the passwords that are known: the configured role's own, those of the file, those that are typed."""
    names = role_setup.names(prefix, sign_in=True)
    parameters = connection.get_connection_params()
    user, password = str(parameters.get("user", "")), str(parameters.get("password", ""))
    known = passwords.read_file(names)
    if user in names and password:
        known.setdefault(user, password)
    return known | (passwords.ask([name for name in names if name not in known]) if ask else {})


def _roles_and_database(prefix: str, secrets: dict[str, str]) -> Iterator[Step]:
    name, owner = str(connection.get_connection_params()["dbname"]), named(prefix, OWNER)
    with _maintenance("roles are made by an administrator") as session:
        for role, outcome, detail in role_setup.make_roles(session, prefix, secrets):
            yield Step(role, outcome, detail)
        yield Step("database", _ensure_database(session, name, owner=owner), name)
    with _maintenance("", dbname=name) as session:
        role_setup.take_over(session, prefix)
    _sign_in()


def _refuse_who_may_not_migrate(prefix: str | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, has_schema_privilege('public', 'CREATE')")
        user, may = cursor.fetchone()
    if not may:
        who = "the owner of its tables" if prefix is None else named(prefix, MIGRATOR)
        raise ConfigurationError(f"{user} may not make tables here: let DATABASE_URL name {who} for this command")


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
    _sign_in()


def _sign_in() -> None:
    try:
        connect_directly().close()
    except psycopg.OperationalError as exc:
        raise ConfigurationError(f"role and database exist, but: {one_line(exc)}") from exc


def _maintenance(problem: str, *, dbname: str = "") -> psycopg.Connection[Any]:
    """
    Return a connection that may make what is missing: the administrator's, else the role's own.

    Args:
        problem: why it is wanted, in words.
        dbname: where, instead of in the administrator's own database.
    """
    admin_url = Environment(os.environ).text("DB_ADMIN_URL")
    try:
        if admin_url:
            elsewhere = {"dbname": dbname} if dbname else {}
            return psycopg.connect(admin_url, autocommit=True, connect_timeout=10, **elsewhere)  # type: ignore[arg-type]  # the stubs take each by its name
        return connect_directly(dbname=dbname or MAINTENANCE_DATABASE)
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
    made = _make(session, _create_database(name, owner=owner))
    # Django's sessions begin in it, and so do those of people.
    _make(session, sql.SQL("ALTER DATABASE {} SET timezone = 'UTC'").format(sql.Identifier(name)))
    return made


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
