"""A bot's role can do all that a bot does, and change nothing that was stored, whatever it tries."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.apps import apps
from django.db import connection

from friren.core.models import AuditLog, FactModel, SeriesModel
from friren.errors import ConfigurationError
from friren.operations import audit
from friren.operations.grants import grant_writer
from friren.operations.models import AuditBlock
from friren.persistence import engines
from friren.persistence.models import LossRecord
from tests import postgres as harness
from tests.every_call import say_all

FACTS = [model for model in apps.get_models() if issubclass(model, FactModel)]
SERIES = [model for model in apps.get_models() if issubclass(model, SeriesModel)]
APPEND_ONLY = [*FACTS, LossRecord, AuditBlock]
ROLE = "bot of a test"
REFUSED = "42501"


@pytest.fixture(scope="module", autouse=True)
def _role(django_db_setup) -> Iterator[None]:
    with harness.admin_connection() as admin:
        admin.execute(f'CREATE ROLE "{ROLE}" LOGIN')
    yield
    with harness.admin_connection(connection.settings_dict["NAME"]) as admin:
        admin.execute(f'DROP OWNED BY "{ROLE}"; DROP ROLE "{ROLE}"')


@pytest.fixture
def bot() -> Iterator[psycopg.Connection]:
    """Open a session of the role."""
    grant_writer(ROLE)
    options = connection.get_connection_params()
    with psycopg.connect(
        dbname=options["dbname"], host=options.get("host"), port=options.get("port"), user=ROLE, autocommit=True
    ) as session:
        yield session


def sqlstate(session: psycopg.Connection, statement: str) -> str:
    try:
        session.execute(statement)
    except psycopg.Error as exc:
        return exc.sqlstate
    return ""


def by_name(model) -> str:
    return model.__name__


@pytest.mark.parametrize("model", APPEND_ONLY, ids=by_name)
def test_nothing_of_an_append_only_table_can_be_changed_but_what_moves(bot, model) -> None:
    table = model._meta.db_table
    moving = {model._meta.get_field(name).column for name in getattr(model, "lifecycle", ())}
    allowed = {
        field.column
        for field in model._meta.concrete_fields
        if sqlstate(bot, f'UPDATE {table} SET "{field.column}" = "{field.column}" WHERE false') != REFUSED
    }

    assert allowed == moving
    assert sqlstate(bot, f"DELETE FROM {table} WHERE false") == REFUSED
    assert sqlstate(bot, f"TRUNCATE {table} CASCADE") == REFUSED


@pytest.mark.parametrize("model", [*FACTS, *SERIES], ids=by_name)
def test_no_row_can_be_given_a_number(bot, model) -> None:
    for column in ("recorded_seq", "created_at"):
        assert sqlstate(bot, f"INSERT INTO {model._meta.db_table} ({column}) VALUES (NULL)") == REFUSED


@pytest.mark.parametrize("model", SERIES, ids=by_name)
def test_points_of_a_series_are_removed_neither_through_the_table_nor_through_a_partition(bot, model) -> None:
    bot.execute("SELECT friren_create_month(%s, '2024-01-01')", [model._meta.db_table])
    with harness.admin_connection(connection.settings_dict["NAME"]) as admin:
        found = admin.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [model._meta.db_table]
        ).fetchall()
    tables = [model._meta.db_table, *(name for (name,) in found)]

    assert len(tables) >= 3
    for table in tables:
        assert sqlstate(bot, f"DELETE FROM {table} WHERE false") == REFUSED
        assert sqlstate(bot, f"TRUNCATE {table}") == REFUSED
        assert sqlstate(bot, f"UPDATE {table} SET id = id WHERE false") == REFUSED


@pytest.mark.parametrize("model", [*APPEND_ONLY, *SERIES], ids=by_name)
def test_no_rule_of_a_table_can_be_switched_off(bot, model) -> None:
    table = model._meta.db_table
    for statement in (
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"ALTER TABLE {table} ADD COLUMN forged int",
        f"ALTER TABLE {table} OWNER TO CURRENT_USER",
        f"DROP TABLE {table} CASCADE",
    ):
        assert sqlstate(bot, statement) == REFUSED, statement


@pytest.mark.parametrize(
    "statement",
    [
        "SET session_replication_role = replica",
        "CREATE TABLE forged (id int)",
        "CREATE OR REPLACE FUNCTION friren_next_seq() RETURNS bigint LANGUAGE sql AS 'SELECT 1'",
        "SELECT setval('friren_recorded_seq', 1)",
        "ALTER SEQUENCE friren_recorded_seq RESTART",
        "UPDATE core_user SET is_superuser = true WHERE false",
        "UPDATE core_account SET name = 'x' WHERE false",
        "DELETE FROM core_account WHERE false",
        "DELETE FROM django_migrations WHERE false",
        "SELECT * FROM django_session",
        "SELECT password FROM core_user",
    ],
)
def test_what_would_lead_around_the_rules_is_refused(bot, statement) -> None:
    assert sqlstate(bot, statement) == REFUSED


def test_everything_that_a_bot_says_is_stored(bot, settings, tmp_path) -> None:
    settings.FRIREN_HOME = tmp_path
    engines.close_all()
    connection.close()
    own = connection.settings_dict["USER"]
    connection.settings_dict["USER"] = ROLE
    try:
        told, _seconds = say_all("granted")
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == (ROLE,)
    finally:
        engines.close_all()
        connection.close()
        connection.settings_dict["USER"] = own

    ends = [end if isinstance(end, str) else {*end} - {"STORED"} for end in told.values()]
    # Of books that are up to date already, DUPLICATE.
    assert [end for end in ends if end not in ("fresh", set(), {"DUPLICATE"})] == []
    assert len(told) > 40
    settings.FRIREN_AUDIT_HOME = tmp_path / "audit"
    assert audit.seal().altered == ()
    found = audit.verify(digests=True)
    assert found.ok, found.first_bad


def test_rights_are_given_twice_as_well_as_once_and_told_of(bot) -> None:
    assert grant_writer(ROLE) > len(FACTS)

    assert AuditLog.objects.filter(source="setup_database", object_pk=ROLE, after={"rights": "writer"}).count() == 2


@pytest.mark.parametrize(
    ("role", "why"),
    [("nobody", "there is no role nobody"), ("friren", "friren is a superuser")],
)
def test_a_role_from_which_nothing_can_be_withheld_is_refused(role, why) -> None:
    with pytest.raises(ConfigurationError, match=why):
        grant_writer(role)


def test_the_owner_of_the_tables_is_no_bot(bot) -> None:
    with harness.admin_connection(connection.settings_dict["NAME"]) as admin:
        admin.execute(f'ALTER TABLE core_auditlog OWNER TO "{ROLE}"')
        try:
            with pytest.raises(ConfigurationError, match="owns 1 of the tables"):
                grant_writer(ROLE)
        finally:
            admin.execute("ALTER TABLE core_auditlog OWNER TO friren")
