"""Each role of a server can do what it is for, by a real session of its own, and is refused everything else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import connection, connections
from django.test import Client
from django.urls import reverse

from friren.core.models import Account, User
from friren.operations import health
from friren.operations.backup.making import make_backup
from friren.operations.metrics.history import record
from friren.operations.metrics.sources import collect
from friren.operations.models import BackupRecord, MetricSample
from friren.operations.rights import APP_RO, APP_WEB, APP_WRITER, BACKUP, MONITOR, PROFILES, rights_of, tables
from friren.operations.role_check import check_rights
from friren.operations.role_setup import give_rights, make_roles, names
from friren.persistence import engines
from tests import postgres as harness
from tests.every_call import say_all
from tests.factories import SymbolFactory, UserFactory

PREFIX = "matrix"
DATABASE = "roles_here"
EVERYBODY = {*PROFILES}
WRITERS = {APP_WRITER, APP_WEB}
# What each may, by sentences that a person can judge; `migrator` may all of it.
MATRIX = [
    ("SELECT count(*) FROM trading_engine_trade", EVERYBODY),
    ("SELECT count(*) FROM trading_engine_price_default", EVERYBODY),
    ("SELECT count(*) FROM django_migrations", EVERYBODY),
    ("SELECT username FROM core_user LIMIT 0", EVERYBODY),
    ("SELECT password FROM core_user LIMIT 0", {APP_WEB, BACKUP}),
    ("SELECT session_key FROM django_session LIMIT 0", {APP_WEB, BACKUP}),
    ("SELECT count(*) FROM archive.kept", EVERYBODY),
    ("INSERT INTO archive.kept SELECT 1 WHERE false", set()),
    ("INSERT INTO trading_engine_trade (id, price) SELECT NULL, 1 WHERE false", WRITERS),
    ("INSERT INTO trading_engine_trade (recorded_seq) SELECT 1 WHERE false", set()),
    ("UPDATE trading_engine_trade SET status = status WHERE false", WRITERS),
    ("UPDATE trading_engine_trade SET price = price WHERE false", set()),
    ("DELETE FROM trading_engine_trade WHERE false", set()),
    ("TRUNCATE trading_engine_trade CASCADE", set()),
    ("UPDATE portfolio_manager_position SET quantity = quantity WHERE false", WRITERS),
    ("UPDATE portfolio_manager_riskconfig SET ai_trading_enabled = false WHERE false", WRITERS),
    ("UPDATE portfolio_manager_riskconfig SET max_lot_size = 1 WHERE false", {APP_WEB}),
    ("INSERT INTO portfolio_manager_riskconfig (id) SELECT 1 WHERE false", {APP_WEB}),
    ("DELETE FROM portfolio_manager_riskconfig WHERE false", {APP_WEB}),
    ("UPDATE portfolio_manager_strategy SET risk_caps = '{}' WHERE false", {APP_WEB}),
    ("INSERT INTO portfolio_manager_strategy (id) SELECT NULL WHERE false", {APP_WEB}),
    ("DELETE FROM portfolio_manager_strategy WHERE false", {APP_WEB}),
    ("UPDATE portfolio_manager_tradingjournal SET position_id = NULL WHERE false", WRITERS),
    ("UPDATE portfolio_manager_tradingjournal SET content = '' WHERE false", {APP_WEB}),
    ("INSERT INTO portfolio_manager_tradingjournal (title) SELECT '' WHERE false", {APP_WEB}),
    ("DELETE FROM portfolio_manager_tradingjournal WHERE false", {APP_WEB}),
    ("INSERT INTO core_auditlog (id) SELECT NULL WHERE false", WRITERS),
    ("DELETE FROM core_auditlog WHERE false", set()),
    ("UPDATE core_account SET name = name WHERE false", {APP_WEB}),
    ("UPDATE core_user SET is_superuser = true WHERE false", {APP_WEB}),
    ("DELETE FROM core_user WHERE false", set()),
    ("DELETE FROM django_session WHERE false", {APP_WEB}),
    ("INSERT INTO operations_backuprecord (path) SELECT '' WHERE false", {BACKUP}),
    ("INSERT INTO operations_metricsample (name) SELECT '' WHERE false", {MONITOR}),
    ("DELETE FROM operations_auditblock WHERE false", set()),
    ("DELETE FROM django_migrations WHERE false", set()),
    ("SELECT friren_create_month('trading_engine_price', '2031-05-01')", WRITERS),
    ("CREATE TEMPORARY TABLE mine (id int)", WRITERS),
    ("CREATE TABLE forged (id int)", set()),
    ("CREATE SCHEMA forged", set()),
    ("ALTER TABLE trading_engine_trade DISABLE TRIGGER USER", set()),
    ("DROP TABLE trading_engine_trade CASCADE", set()),
    ("CREATE OR REPLACE FUNCTION friren_next_seq() RETURNS bigint LANGUAGE sql AS 'SELECT 1'", set()),
    (f"SET ROLE {PREFIX}_owner", set()),
    ("SET session_replication_role = replica", set()),
    ("CREATE ROLE forged", set()),
    (f"ALTER ROLE {PREFIX}_app_ro CREATEDB", set()),
    ("SELECT setval('friren_recorded_seq', 1)", set()),
    ("SELECT pg_read_file('PG_VERSION')", set()),
    ("COPY (SELECT 1) TO PROGRAM 'cat'", set()),
]


@pytest.fixture(scope="module")
def roles(django_db_setup) -> Iterator[None]:
    """A migrated database of its own that belongs to the roles."""
    harness.copy_template(DATABASE)
    with harness.admin_connection(DATABASE) as admin:
        admin.execute("CREATE SCHEMA IF NOT EXISTS archive; CREATE TABLE archive.kept (id int)")
        secrets = dict.fromkeys(names(PREFIX, sign_in=True), "only for tests")
        assert [outcome for _name, outcome, _told in make_roles(admin, PREFIX, secrets)] == ["done"] * 7
        assert give_rights(admin, PREFIX)
        admin.execute("CREATE ROLE matrix_nobody LOGIN")
    yield
    harness.drop_database(DATABASE)
    with harness.admin_connection() as admin:
        for name in [*names(PREFIX), "matrix_nobody"]:
            admin.execute(f'DROP ROLE "{name}"')


def session_of(suffix: str) -> psycopg.Connection:
    options = connection.get_connection_params()
    where = {name: options[name] for name in ("host", "port") if options.get(name)}
    return psycopg.connect(
        dbname=DATABASE, user=f"{PREFIX}_{suffix}", password="only for tests", autocommit=True, **where
    )


@contextmanager
def signed_in(suffix: str) -> Iterator[None]:
    """Let Django work as a role, in the database of the roles."""
    engines.close_all()
    connections.close_all()
    own = {name: connection.settings_dict[name] for name in ("NAME", "USER")}
    connection.settings_dict.update(NAME=DATABASE, USER=f"{PREFIX}_{suffix}")
    try:
        yield
    finally:
        engines.close_all()
        connections.close_all()
        connection.settings_dict.update(own)


def refused(session: psycopg.Connection, statement: str) -> bool:
    """Whether a right is missing; a statement that may be done is not."""
    try:
        with session.transaction(force_rollback=True):
            if "default_transaction_read_only" not in statement:
                session.execute("SET TRANSACTION READ WRITE")  # rights are what is asked about
            session.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    except psycopg.Error:
        return False
    return False


@pytest.mark.parametrize("profile", PROFILES)
def test_a_role_may_what_it_is_for_and_nothing_else(roles, profile) -> None:
    with session_of(profile) as session:
        told = {statement: not refused(session, statement) for statement, _who in MATRIX}

    wrong = [statement for statement, who in MATRIX if told[statement] != (profile in who)]
    assert wrong == []


@pytest.mark.parametrize("profile", PROFILES)
def test_what_a_session_can_do_with_each_table_is_what_the_grid_says(roles, profile) -> None:
    with session_of(profile) as session:
        for model in tables():
            table, rights = model._meta.db_table, rights_of(profile, model)
            reads = "SELECT" in rights or profile == BACKUP
            column = (rights.get("SELECT") or (model._meta.pk.column,))[0]
            assert refused(session, f'SELECT "{column}" FROM {table} LIMIT 0') == (not reads), table
            for verb, statement in (("DELETE", f"DELETE FROM {table} WHERE false"),
                                    ("TRUNCATE", f"TRUNCATE {table} CASCADE")):  # fmt: skip
                assert refused(session, statement) == (verb not in rights), statement
            for field in model._meta.concrete_fields:
                update = f'UPDATE {table} SET "{field.column}" = NULL WHERE false'
                insert = f'INSERT INTO {table} ("{field.column}") SELECT NULL WHERE false'
                for verb, statement in (("UPDATE", update), ("INSERT", insert)):
                    columns = rights.get(verb)
                    may = columns is not None and (not columns or field.column in columns)
                    assert refused(session, statement) == (not may), statement


def test_the_migrator_makes_what_the_owner_owns_and_others_may_read_it_at_once(roles) -> None:
    with session_of("migrator") as migrator:
        for statement, _who in MATRIX:
            if not statement.startswith(("SET", "CREATE ROLE", "ALTER ROLE", "COPY", "SELECT pg_read", "CREATE OR")):
                assert not refused(migrator, statement), statement
        migrator.execute("CREATE TABLE added (id int)")
        assert migrator.execute(
            "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'added'"
        ).fetchone() == (f"{PREFIX}_owner",)
        with session_of(APP_RO) as reader, session_of(APP_WRITER) as bot:
            assert not refused(reader, "SELECT * FROM added")
            assert refused(bot, "INSERT INTO added VALUES (1)")
            bot.execute("SELECT friren_create_month('trading_engine_price', '2031-06-01')")
            assert not refused(reader, "SELECT * FROM trading_engine_price_y2031m06")
            assert refused(bot, "DELETE FROM trading_engine_price_y2031m06")
        migrator.execute("DROP TABLE added")


def test_who_has_no_role_of_ours_does_not_get_in(roles) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        session_of("nobody")
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        session_of("owner")


def test_a_reader_cannot_hold_up_anybody(roles) -> None:
    with session_of(APP_RO) as reader:
        shown = [reader.execute(f"SHOW {name}").fetchone()[0]
                 for name in ("default_transaction_read_only", "statement_timeout")]  # fmt: skip

    assert shown == ["on", "30s"]


def test_rights_are_given_twice_as_well_as_once(roles) -> None:
    with harness.admin_connection(DATABASE) as admin:
        assert [outcome for _name, outcome, _told in make_roles(admin, PREFIX, {})] == ["unchanged"] * 7
        assert not give_rights(admin, PREFIX)


def test_a_database_without_an_archive_is_no_other(roles) -> None:
    with harness.admin_connection(DATABASE) as admin, admin.transaction(force_rollback=True):
        admin.execute("DROP SCHEMA archive CASCADE")
        give_rights(admin, PREFIX)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_rights_of_each_role_are_found_right(roles, database, profile) -> None:
    with signed_in(profile):
        assert check_rights() == (True, f"{PREFIX}_{profile} may do what {profile} may, and no more")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("REVOKE INSERT (price) ON trading_engine_trade FROM", "lacks INSERT on trading_engine_trade"),
        ("GRANT DELETE ON trading_engine_trade TO", "has DELETE on trading_engine_trade, which app_writer"),
        ("REVOKE EXECUTE ON FUNCTION friren_next_seq() FROM", "lacks functions"),
    ],
)  # fmt: skip
def test_a_right_too_few_or_too_many_is_named_with_what_to_do(roles, database, spoil, told) -> None:
    with harness.admin_connection(DATABASE) as admin:
        admin.execute(f"{spoil} {PREFIX}_{APP_WRITER}")
        with signed_in(APP_WRITER):
            well, detail = check_rights()
        give_rights(admin, PREFIX)

    assert not well
    assert told in detail
    assert "`manage.py setup_database --roles matrix`" in detail


def test_a_bot_says_everything_it_can_say(roles, database, settings, tmp_path) -> None:
    settings.FRIREN_HOME = tmp_path
    with signed_in(APP_WRITER):
        told, _seconds = say_all("by its role")

    ends = [end if isinstance(end, str) else {*end} - {"STORED"} for end in told.values()]
    assert [end for end in ends if end not in ("fresh", set(), {"DUPLICATE"})] == []
    assert len(told) > 40


def test_the_admin_does_what_people_do_in_it(roles, database) -> None:
    with signed_in("migrator"):
        symbol = SymbolFactory(ticker="ZVZZT")
        UserFactory(username="manager", is_staff=True, is_superuser=True)
    with signed_in(APP_WEB):
        manager = User.objects.get(username="manager")
        manager.set_password("open sesame")
        manager.save()
        client = Client(REMOTE_ADDR="192.0.2.7")
        assert client.login(username="manager", password="open sesame")
        page = reverse("admin:trading_engine_symbol_change", args=[symbol.pk])
        form = client.get(page).context["adminform"].form
        sent = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
        assert client.post(page, sent | {"name": "Apple", "tick_size": "0.01"}).status_code == 302
        symbol.refresh_from_db()
        assert (symbol.name, symbol.tick_size) == ("Apple", Decimal("0.01"))
        added = client.post(reverse("admin:auth_group_add"), {"name": "readers", "permissions": []})
        group = Group.objects.get(name="readers")
        assert added.status_code == 302
        gone = client.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"})
        assert (gone.status_code, Group.objects.count()) == (302, 0)
        opened = client.post(reverse("admin:core_account_add"), {
            "owner": manager.pk, "name": "by hand", "environment": "PAPER", "base_currency": "USD",
            "cost_basis": "AVERAGE", "position_mode": "NETTING", "timezone": "UTC", "is_active": "on",
        })  # fmt: skip
        assert (opened.status_code, Account.objects.filter(name="by hand").count()) == (302, 1)
        account = Account.objects.get(name="by hand")
        page = reverse("admin:core_account_change", args=[account.pk])
        assert client.post(page, {"timezone": "Asia/Tokyo"}).status_code == 302
        account.refresh_from_db()
        assert (account.timezone, account.is_active) == ("Asia/Tokyo", False)
        client.logout()


def test_a_backup_is_made_by_its_role_and_noted(roles, database, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("BACKUP_DIR", str(tmp_path / "backups"))
    with signed_in(BACKUP):
        made = make_backup(kind="DAILY")
        assert BackupRecord.objects.get(path=str(made.path)).status == "COMPLETED"
        assert f"{PREFIX}_owner" in made.manifest.contents.roles


def test_health_and_metrics_are_asked_by_their_role(roles, database) -> None:
    with signed_in(MONITOR):
        found = health.examine()
        refusals = [name for name, (finding, _s) in found.checks.items() if "permission denied" in finding.message]
        assert refusals == []
        assert len(found.checks) > 10
        assert record(collect()) == MetricSample.objects.count() > 10
