"""An upgrade ends in one of two ways: all is as the new code wants it, or all is as it was. Killed anywhere, too."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections

from friren.errors import UpgradeError
from friren.operations import schema
from friren.operations.backup.contents import Contents, read_contents
from friren.operations.role_setup import give_rights, make_roles, names
from friren.operations.upgrading import fence, plan_upgrade, roll_back, state, upgrade
from friren.persistence import engines
from friren.persistence.facts import forget_natural_keys
from tests import postgres as harness
from tests.acceptance.friren.persistence.outage_tools import logger, migrated, replay, stored
from tests.factories import TradeFactory
from tests.killed import ALL_KILLS, killed
from tests.postgres import ROOT
from tests.servers import command_environment, make_folder, remove_folder
from tests.upgrades import COMING, choose

__all__ = ["logger", "migrated"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="fork and SIGKILL are POSIX")

NAME = "upgraded_here"
PREFIX = "upgrading"
# What the machinery notes of itself: entries on backups, restores and upgrades.
NOTES = {"public.operations_backuprecord", "public.core_auditlog"}
_RUNNING = "friren.operations.upgrading.running"
_FENCE = "friren.operations.upgrading.fence"
# Function, moment, which call; and what the next `upgrade` makes of it.
KILLS = [
    (f"{_RUNNING}:write", "after", 1),
    (f"{_FENCE}:pull_up", "after", 1),
    (f"{_RUNNING}:make_backup", "after", 1),
    (f"{_RUNNING}:verify_backup", "after", 1),
    ("friren.operations.schema:migrate", "before", 1),
    ("django.db.migrations.operations.special:RunSQL.database_forwards", "after", 2),
    ("friren.operations.schema:migrate", "after", 1),
    (f"{_RUNNING}:_refuse_red", "after", 1),
    (f"{_FENCE}:lower", "before", 1),
    (f"{_FENCE}:lower", "after", 1),
]
RESTORES = [
    (f"{_RUNNING}:restore_backup", "before", 1),
    ("friren.operations.backup.restoring:_swap", "before", 1),
    ("friren.operations.backup.restoring:_swap", "after", 1),
    (f"{_RUNNING}:restore_backup", "after", 1),
]
FAILURES = ["failure in the middle", "red health", "atomic failure"]
WAYS = ["again", "back"]
if not ALL_KILLS:
    KILLS, WAYS, FAILURES = [KILLS[5]], WAYS[:1], FAILURES[:1]
when_asked_for = pytest.mark.skipif(not ALL_KILLS, reason="takes minutes: FRIREN_TEST_ALL_KILLS asks for it")


@pytest.fixture
def database_to_upgrade(database, settings, monkeypatch) -> Iterator[str]:
    """A database with some trades that lacks one migration of the code's."""
    home = make_folder()
    settings.FRIREN_HOME, settings.MIGRATION_MODULES = home, COMING
    monkeypatch.setenv("BACKUP_DIR", str(home / "backups"))
    monkeypatch.setenv("FRIREN_TEST_MIGRATION", "good")
    own = connection.settings_dict["NAME"]
    try:
        harness.copy_template(NAME)
        engines.close_all()
        connections.close_all()
        connection.settings_dict["NAME"] = NAME
        forget_natural_keys()
        TradeFactory.create_batch(3)
        engines.close_all()
        yield NAME
    finally:
        engines.close_all()
        connections.close_all()
        connection.settings_dict["NAME"] = own
        forget_natural_keys()
        with harness.admin_connection() as admin:
            left = admin.execute("SELECT datname FROM pg_database WHERE datname ^@ %s", [NAME]).fetchall()
        for (name,) in left:
            harness.drop_database(name)
        remove_folder(home)


@pytest.fixture
def by_its_migrator(database_to_upgrade) -> Iterator[list[psycopg.Connection]]:
    """The same by a role that is no superuser, beside sessions of a bot and of a reader."""
    with harness.admin_connection(NAME) as admin:
        list(make_roles(admin, PREFIX, dict.fromkeys(names(PREFIX, sign_in=True), "only for tests")))
        give_rights(admin, PREFIX)
        admin.execute("DROP SCHEMA friren_seed CASCADE")  # the tests' own
    own = connection.settings_dict["USER"]
    others = [psycopg.connect(harness.database_url(NAME), user=f"{PREFIX}_{role}") for role in ("app_writer", "app_ro")]
    connections.close_all()
    connection.settings_dict["USER"] = f"{PREFIX}_migrator"
    try:
        yield others
    finally:
        connections.close_all()
        connection.settings_dict["USER"] = own
        for other in others:
            other.close()
        with harness.admin_connection() as admin:
            for (name,) in admin.execute("SELECT datname FROM pg_database WHERE datname ^@ %s", [NAME]).fetchall():
                harness.drop_database(name)
            for name in names(PREFIX):
                admin.execute(f'DROP ROLE "{name}"')


def contents() -> Contents:
    """What the database holds, but for the notes of the machinery."""
    with harness.admin_connection(NAME) as session:
        session.execute("SET search_path = pg_catalog; SET timezone = 'UTC'")
        found = read_contents(session)
    for name in NOTES:
        del found.tables[name]
    return found


def same(before: Contents) -> bool:
    now = contents()
    return (now.tables, now.migrations, now.objects) == (before.tables, before.migrations, before.objects)


def upgraded() -> bool:
    with harness.admin_connection(NAME) as session:
        return (
            session.execute("SELECT to_regclass('upgraded') IS NOT NULL").fetchone() == (True,)
            and session.execute("SELECT bool_and(first_name = 'upgraded') FROM core_user").fetchone() == (True,)
            and schema.unapplied() == []
        )


def ended() -> bool:
    """Whether writers are let in, and nothing is left to go on with."""
    return not fence.is_up() and state.read() is None


def steps_of(done: Iterator) -> list[tuple[str, str]]:
    return [(step.step, step.outcome) for step in done]


def test_a_good_upgrade_is_backed_up_proven_migrated_and_asked_for_its_health(database_to_upgrade) -> None:
    assert [step.outcome for step in plan_upgrade()] == ["planned"] * 5
    assert schema.unapplied() == ["sessions.0002_coming"]

    assert steps_of(upgrade()) == [
        ("check", "done"), ("fence", "done"), ("backup", "done"), ("verify_backup", "done"), ("migrate", "done"),
        ("health", "done"), ("open", "done"),
    ]  # fmt: skip
    assert upgraded()
    assert ended()
    with connection.cursor() as cursor:
        cursor.execute("SELECT after->'migrations' FROM core_auditlog WHERE source = 'upgrade'")
        assert cursor.fetchall() == [('["sessions.0002_coming"]',)]
    assert steps_of(upgrade()) == [("check", "unchanged")]


@pytest.mark.parametrize("kind", FAILURES)
def test_an_upgrade_that_fails_leaves_everything_as_it_was(by_its_migrator, kind) -> None:
    choose(kind)
    before = contents()

    done = list(upgrade())

    failed, restored = done[-2:]
    assert (failed.step, failed.outcome) == ("health" if kind == "red health" else "migrate", "failed")
    assert ("belongs_to_nobody" if kind == "red health" else "the second half cannot be done") in failed.detail
    assert (restored.step, restored.outcome) == ("restore", "done")
    assert same(before)
    assert ended()
    for session in by_its_migrator:  # of others, who were in the middle of something
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    with psycopg.connect(harness.database_url(NAME), user=f"{PREFIX}_app_writer") as bot:
        assert bot.execute("SELECT has_database_privilege(current_database(), 'TEMPORARY')").fetchone() == (True,)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        nobody()


def nobody() -> None:
    """Try to come in as a role that has no rights here."""
    with harness.admin_connection() as admin:
        admin.execute("CREATE ROLE upgrading_nobody LOGIN")
    try:
        psycopg.connect(harness.database_url(NAME), user="upgrading_nobody")
    finally:
        with harness.admin_connection() as admin:
            admin.execute("DROP ROLE upgrading_nobody")


@pytest.mark.slow
@pytest.mark.parametrize(("place", "moment", "call"), KILLS)
@pytest.mark.parametrize("way", WAYS)
def test_an_upgrade_that_is_killed_goes_on_or_back(database_to_upgrade, place, moment, call, way) -> None:
    before = contents()
    killed(lambda: list(upgrade()), place, moment, call)

    if way == "again":
        assert ("open", "done") in steps_of(upgrade()) or place.endswith(":lower")
        assert upgraded()
    elif place.endswith(":lower"):
        with pytest.raises(UpgradeError, match="has ended well"):
            list(roll_back())
        list(upgrade())
        assert upgraded()
    else:
        assert steps_of(roll_back())[-1][1] == "done"
        assert same(before)
    assert ended()


@when_asked_for
@pytest.mark.parametrize(("place", "moment", "call"), RESTORES)
def test_a_restore_that_is_killed_is_ended_by_the_next_upgrade(database_to_upgrade, place, moment, call) -> None:
    choose("failure in the middle")
    before = contents()
    killed(lambda: list(upgrade()), place, moment, call)

    assert steps_of(upgrade()) == [("check", "done"), ("restore", "done")]
    assert same(before)
    assert ended()


@when_asked_for
def test_a_half_done_migration_that_was_killed_is_undone_when_it_cannot_be_done_again(database_to_upgrade) -> None:
    choose("failure in the middle")  # no transaction around it: what is done stays done
    before = contents()
    killed(lambda: list(upgrade()), "django.db.migrations.operations.special:RunSQL.database_forwards", "after", 1)
    with harness.admin_connection(NAME) as session:
        assert session.execute("SELECT count(*) FROM upgraded").fetchone() == (1,)

    done = list(upgrade())

    assert (done[-2].outcome, done[-1].step) == ("failed", "restore")
    assert 'relation "upgraded" already exists' in done[-2].detail
    assert same(before)


def test_a_database_newer_than_the_code_is_refused_by_name(database_to_upgrade, settings) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('core', '0999_from_tomorrow', now())"
        )
    before = contents()

    with pytest.raises(CommandError, match=r"newer than this code, which does not know core\.0999_from_tomorrow"):
        call_command("upgrade")

    assert same(before)
    assert ended()


def test_nothing_is_changed_when_the_backup_cannot_be_made(database_to_upgrade, monkeypatch, tmp_path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BACKUP_DIR", str(tmp_path / "file" / "backups"))
    before = contents()

    with pytest.raises(UpgradeError, match=r"nothing was changed: .*Not a directory"):
        list(upgrade())

    assert same(before)
    assert ended()


def test_an_encrypted_backup_that_could_not_be_opened_here_is_not_begun(database_to_upgrade, monkeypatch) -> None:
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p")

    with pytest.raises(CommandError, match="BACKUP_DECRYPTION_KEY_FILE"):
        call_command("upgrade")

    assert ended()


def test_writers_are_told_read_only_and_readers_read_on(database_to_upgrade) -> None:
    writer = harness.admin_connection(NAME)
    fence.pull_up()
    try:
        with pytest.raises(psycopg.OperationalError):  # it was ended
            writer.execute("SELECT 1")
        with harness.admin_connection(NAME) as late:
            assert late.execute("SELECT count(*) FROM trading_engine_trade").fetchone() == (3,)
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                late.execute("DELETE FROM django_session")
        with pytest.raises(UpgradeError, match="begin read-only, and no upgrade of this machine"):
            list(upgrade())
    finally:
        fence.lower()
    with harness.admin_connection(NAME) as late:
        late.execute("DELETE FROM django_session")


@pytest.mark.slow
def test_a_bot_that_trades_during_an_upgrade_journals_and_loses_nothing(migrated, logger) -> None:
    environment = migrated.environment(DJANGO_SETTINGS_MODULE="tests.upgrades.settings", FRIREN_TEST_MIGRATION="good")
    bot = logger("log_while_frozen", "5", FRIREN_WRITE_DEADLINE="0.25")
    bot.expect("ready")
    upgrading = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "upgrade", "--json"], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=command_environment(migrated.home, **environment),
    )  # fmt: skip
    while upgrading.poll() is None:
        bot.say("go")
        bot.expect("done")
        time.sleep(0.05)
    report, complaints = upgrading.communicate()
    bot.say("end")
    last, _words = bot.end()

    assert (upgrading.returncode, json.loads(report)["ok"]) == (0, True), complaints
    assert last["errors"] == {}
    assert set(last["outcomes"]) == {"STORED", "JOURNALED"}
    assert replay(migrated)["remaining"] == 0
    assert stored(migrated) == {f"T{number}": 1 for number in range(last["calls"])}
